package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// serve answers at an address: / with a text, /from with the caller's address, /do
// with the output of a guest, /try/ADDRESS with what dialing that gives.
func serve(args []string) error {
	text := "hello\n"
	if len(args) > 1 {
		text = strings.Join(args[1:], " ") + "\n"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) })
	mux.HandleFunc("GET /from", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.RemoteAddr) })
	mux.HandleFunc("GET /try/{address}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, try(r.PathValue("address"), 2*time.Second))
	})
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
		var command []string
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&command); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		cmd := exec.CommandContext(r.Context(), "/proc/self/exe", command...)
		out, err := cmd.CombinedOutput()
		w.Header().Set("Guest-Exit", fmt.Sprint(cmd.ProcessState.ExitCode()))
		if err != nil && len(out) == 0 {
			fmt.Fprintln(w, "guest:", err)
		}
		w.Write(out)
	})
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("serving", args[0])
	return http.Serve(l, mux)
}

func get(args []string) error {
	client := http.Client{Timeout: 10 * time.Second}
	r, err := http.NewRequest(http.MethodGet, args[0], nil)
	if err != nil {
		return err
	}
	for _, header := range args[1:] {
		name, value, _ := strings.Cut(header, ":")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// dial says whether an address is open, refused, or silent, and what it said.
func dial(args []string) error {
	patience := 2 * time.Second
	if len(args) > 1 {
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		patience = d
	}
	fmt.Println(try(args[0], patience))
	return nil
}

func try(address string, patience time.Duration) string {
	c, err := net.DialTimeout("tcp", address, patience)
	var t net.Error
	switch {
	case err == nil:
		defer c.Close()
		return "open " + c.LocalAddr().String()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &t) && t.Timeout():
		return "silent"
	}
	return err.Error()
}

func resolve(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	list, err := net.DefaultResolver.LookupHost(ctx, args[0])
	slices.Sort(list)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	fmt.Println(strings.Join(list, " "))
	return nil
}

func metadata(args []string) error {
	base := os.Getenv("ECS_CONTAINER_METADATA_URI_V4")
	if base == "" {
		return errors.New("ECS_CONTAINER_METADATA_URI_V4 is not set")
	}
	return get([]string{base + strings.Join(args, "")})
}

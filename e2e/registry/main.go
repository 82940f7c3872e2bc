// Command registry makes the container images of the stories and the demo and
// serves them on loopback, in place of the registries on the internet.
//
//	registry [-dir DIR] [-listen ADDR] [-ready FILE] WHAT...
//	registry [-dir DIR] -push REF WHAT
//
// WHAT is httpd, busybox, guest or sample. FILE gets the URL once it serves. With
// -push the image goes to another registry instead, which is logged in to as user
// AWS with the password on standard input, as docker login does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"neargate/e2e/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	defaultDir, err := images.DefaultDir()
	if err != nil {
		return err
	}
	dir := flag.String("dir", defaultDir, "`DIR` where the images are kept")
	listen := flag.String("listen", "127.0.0.1:0", "loopback `ADDR:PORT` to serve at")
	ready := flag.String("ready", "", "`FILE` that gets the URL once it serves")
	to := flag.String("push", "", "`REF` in a registry to push the image to")
	flag.Parse()
	if addr, err := net.ResolveTCPAddr("tcp", *listen); err != nil || !addr.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("%s is no loopback address", *listen), err)
	}
	library, err := images.Open(*dir)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := library.EnsureNamed(flag.Args()...); err != nil {
		return err
	}
	fmt.Printf("images in %s are ready after %v\n", *dir, time.Since(begin).Round(time.Millisecond))
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := http.Server{Handler: library, ReadHeaderTimeout: 10 * time.Second}
	if *to != "" {
		go server.Serve(l)
		defer server.Close()
		return push(ctx, l.Addr().String(), flag.Arg(0), *to)
	}
	url := "http://" + l.Addr().String()
	if *ready != "" {
		if err := os.WriteFile(*ready+".part", []byte(url+"\n"), 0o644); err != nil {
			return err
		}
		if err := os.Rename(*ready+".part", *ready); err != nil {
			return err
		}
	}
	fmt.Println("serving", url)
	over := context.AfterFunc(ctx, func() { server.Close() })
	defer over()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

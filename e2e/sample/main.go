// Command sample is the demo's web program: a page that shows the task it runs
// in, as the task's own metadata endpoint tells it.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed page.html
var source string

// server answers with what the metadata endpoint at uri says.
type server struct {
	uri    string // of this container; empty: there is none
	page   *template.Template
	begin  time.Time
	served atomic.Int64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	addr := ":80"
	if port := os.Getenv("PORT"); port != "" {
		addr = ":" + port
	}
	s := &server{uri: os.Getenv("ECS_CONTAINER_METADATA_URI_V4"), page: template.Must(template.New("page").Funcs(template.FuncMap{"mib": mib, "last": last}).Parse(source)), begin: time.Now()}
	h := http.Server{Addr: addr, Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		h.Shutdown(grace)
	})
	log.Println("serving", addr)
	if err := h.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	log.Println("bye")
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serve)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /task.json", func(w http.ResponseWriter, r *http.Request) {
		var task json.RawMessage
		if err := s.ask(r.Context(), "/task", &task); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(task)
	})
	return mux
}

// Container is what the page shows of a container's metadata.
type Container struct {
	Name, Image, ImageID, ContainerARN, KnownStatus string
	Limits                                          struct{ CPU, Memory float64 }
	Networks                                        []struct {
		IPv4Addresses                                   []string
		MACAddress, PrivateDNSName, IPv4SubnetCIDRBlock string
	}
}

// Task is the task's metadata.
type Task struct {
	Cluster, TaskARN, Family, Revision, AvailabilityZone, LaunchType string
	KnownStatus                                                      string
	Limits                                                           struct{ CPU, Memory float64 }
	PullStartedAt, PullStoppedAt                                     time.Time
	Containers                                                       []Container
}

// stats are a container's, as Docker gives them.
type stats struct {
	Memory struct {
		Usage float64 `json:"usage"`
	} `json:"memory_stats"`
	CPU struct {
		Usage struct {
			Total float64 `json:"total_usage"`
		} `json:"cpu_usage"`
	} `json:"cpu_stats"`
}

// view is what the page is made of.
type view struct {
	Task      Task
	Self      Container
	Problem   string
	Host      string
	Up        time.Duration
	Served    int64
	MemoryMiB float64
	CPU       time.Duration
	From      string
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	v := view{Up: time.Since(s.begin).Round(time.Second), Served: s.served.Add(1), From: r.RemoteAddr}
	v.Host, _ = os.Hostname()
	err := errors.Join(s.ask(r.Context(), "/task", &v.Task), s.ask(r.Context(), "", &v.Self))
	if err != nil {
		v.Problem = err.Error()
	}
	var used stats
	if s.ask(r.Context(), "/stats", &used) == nil {
		v.MemoryMiB, v.CPU = used.Memory.Usage/(1<<20), time.Duration(used.CPU.Usage.Total).Round(time.Millisecond)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.page.Execute(w, v); err != nil {
		log.Println(err)
	}
}

// ask reads a page of the metadata endpoint.
func (s *server) ask(ctx context.Context, path string, v any) error {
	if s.uri == "" {
		return errors.New("this container has no ECS_CONTAINER_METADATA_URI_V4")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.uri+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the metadata endpoint answers %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

func mib(v float64) string { return fmt.Sprintf("%.0f MiB", v) }

// last is what comes after the last slash or colon of a name.
func last(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' || s[i] == ':' {
			return s[i+1:]
		}
	}
	return s
}

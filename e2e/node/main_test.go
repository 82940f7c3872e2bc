// Package node tells the stories of tasks that really run: images from a
// registry, sandboxes, networks, limits, logs, crashes. They need root and make
// namespaces, cgroups and mounts; every story ends with a look at what is left.
package node

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"neargate/e2e/images"
	"neargate/e2e/story"
)

// Where things are; set before the tests begin.
var (
	e2e        string // the directory e2e
	program    string // bin/neargate
	registries string // configuration file that names the stories' registry
	guarded    string // host of a private registry of the same images
	imagesURL  string // the registry itself
)

// mirrored are the registries that the stories' own stands in for.
var mirrored = []string{"public.ecr.aws", "docker.io"}

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	flag.Parse()
	if testing.Short() || os.Getuid() != 0 {
		fmt.Println("stories of real tasks need root and time")
		return 0
	}
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	over, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer over()
	return m.Run()
}

// prepare builds the programs, makes the images and serves them.
func prepare() (over func(), err error) {
	if e2e, err = filepath.Abs(".."); err != nil {
		return nil, err
	}
	program = filepath.Join(e2e, "../bin/neargate")
	if out, err := exec.Command("make", "-C", filepath.Join(e2e, ".."), "build", "sandboxes").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	dir, err := images.DefaultDir()
	if err != nil {
		return nil, err
	}
	library, err := images.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := library.EnsureNamed("httpd", "busybox", "guest", "caller"); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: library}
	go server.Serve(l)
	private, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	guarded = private.Addr().String()
	guard := &http.Server{Handler: locked(library)}
	go guard.Serve(private)
	work, err := os.MkdirTemp("", "ngs")
	if err != nil {
		return nil, err
	}
	registries, imagesURL = filepath.Join(work, "registries.json"), "http://"+l.Addr().String()
	hosts := map[string]any{guarded: map[string]any{"insecure": true}}
	for _, host := range mirrored {
		hosts[host] = map[string]any{"mirrors": []string{imagesURL}, "only": true}
	}
	b, err := json.Marshal(map[string]any{"registries": hosts})
	if err != nil {
		return nil, err
	}
	over = func() {
		server.Close()
		guard.Close()
		os.RemoveAll(work)
	}
	return over, os.WriteFile(registries, b, 0o644)
}

// runtimes are those a test is for: all, or the one that NEARGATE_STORY_RUNTIME
// names.
func runtimes(names ...string) []string {
	if only := os.Getenv("NEARGATE_STORY_RUNTIME"); only != "" {
		names = []string{only}
	}
	return names
}

// stage plays scripts on a world.
func (w *world) stage(dir string) story.Stage {
	return story.Stage{Dir: dir, E2E: e2e, Shared: w.Installation, Env: map[string]string{"RUNTIME": w.runtime},
		Conditions: map[string]bool{"gvisor": w.runtime == gvisor, "runc": w.runtime == runc}}
}

func lines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }

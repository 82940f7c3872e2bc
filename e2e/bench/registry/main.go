// Command registry measures a registry: one large blob and many small ones, pushed
// and pulled.
//
//	registry [-user USER] [-mib N] [-small N] NAME URL REPOSITORY
//
// The password of USER is on standard input.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// workers is how many small blobs go at a time.
const workers = 4

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

// target is the registry that is measured.
type target struct {
	base, repository, user, password string
	client                           *http.Client
}

func run() error {
	user := flag.String("user", "", "`USER` to log in as")
	mib := flag.Int("mib", 512, "size of the large blob in MiB")
	small := flag.Int("small", 1000, "how many small blobs")
	flag.Parse()
	if flag.NArg() != 3 {
		return errors.New("a name, a URL and a repository are wanted")
	}
	t := target{base: flag.Arg(1), repository: flag.Arg(2), user: *user, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}}
	if *user != "" {
		password, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		t.password = strings.TrimSpace(string(password))
	}
	large := make([]byte, *mib<<20)
	rand.Read(large) // never fails
	digest := digestOf(large)
	push, err := timed(func() error { return t.push(large, digest) })
	if err != nil {
		return err
	}
	pull, err := timed(func() error { return t.pull(digest) })
	if err != nil {
		return err
	}
	blobs := make([][]byte, *small)
	for i := range blobs {
		blobs[i] = make([]byte, 4<<10)
		rand.Read(blobs[i])
	}
	in, err := timed(func() error { return each(blobs, func(b []byte) error { return t.push(b, digestOf(b)) }) })
	if err != nil {
		return err
	}
	out, err := timed(func() error { return each(blobs, func(b []byte) error { return t.pull(digestOf(b)) }) })
	if err != nil {
		return err
	}
	mb := float64(len(large)) / 1e6
	fmt.Printf("%-16s %8.0f %8.0f MB/s push, pull of %d MiB %8.0f %8.0f blobs/s push, pull of 4 KiB\n", flag.Arg(0),
		mb/push.Seconds(), mb/pull.Seconds(), *mib, float64(*small)/in.Seconds(), float64(*small)/out.Seconds())
	return nil
}

func timed(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// each does something with all blobs, several at a time.
func each(blobs [][]byte, do func([]byte) error) error {
	todo := make(chan []byte)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range workers {
		wg.Go(func() {
			for b := range todo {
				if err := do(b); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for _, b := range blobs {
		todo <- b
	}
	close(todo)
	wg.Wait()
	return failed
}

// do makes a request that must be answered with a status, and reads the answer.
func (t *target) do(method, at string, body []byte, status int) (http.Header, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if t.user != "" {
		req.SetBasicAuth(t.user, t.password)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != status {
		return nil, fmt.Errorf("%s %s: %s", method, at, resp.Status)
	}
	return resp.Header, nil
}

// push uploads a blob as docker does.
func (t *target) push(b []byte, digest string) error {
	base, err := url.Parse(t.base + "/v2/" + t.repository + "/blobs/uploads/")
	if err != nil {
		return err
	}
	step := func(method string, at *url.URL, body []byte, status int) (*url.URL, error) {
		h, err := t.do(method, at.String(), body, status)
		if err != nil {
			return nil, err
		}
		return at.Parse(h.Get("Location"))
	}
	at, err := step(http.MethodPost, base, nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	if at, err = step(http.MethodPatch, at, b, http.StatusAccepted); err != nil {
		return err
	}
	q := at.Query()
	q.Set("digest", digest)
	at.RawQuery = q.Encode()
	_, err = step(http.MethodPut, at, nil, http.StatusCreated)
	return err
}

func (t *target) pull(digest string) error {
	_, err := t.do(http.MethodGet, t.base+"/v2/"+t.repository+"/blobs/"+digest, nil, http.StatusOK)
	return err
}

package direct_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"neargate/internal/direct"
)

func TestRoundTrip(t *testing.T) {
	ended := make(chan error, 1)
	client := &http.Client{Transport: direct.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("X-Host", r.Host)
			w.WriteHeader(http.StatusTeapot)
			io.Copy(w, r.Body)
		case "/forever":
			var err error
			for err == nil {
				_, err = w.Write(make([]byte, 1000))
			}
			<-r.Context().Done()
			ended <- err
		case "/panic":
			w.Write([]byte("half"))
			panic("on purpose")
		case "/silent":
			<-r.Context().Done()
			ended <- nil
		}
	})}}
	resp, err := client.Post("https://name.test/echo", "text/plain", strings.NewReader("said"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "said" || resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Host") != "name.test" {
		t.Errorf("%q, %v, %s %v", body, err, resp.Status, resp.Header)
	}
	resp.Body.Close()

	resp, err = client.Get("https://name.test/forever")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 5000); err != nil {
		t.Error(err)
	}
	resp.Body.Close()
	if err := <-ended; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the handler's write: %v", err)
	}

	resp, err = client.Get("https://name.test/panic")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "half" {
		t.Errorf("%q, %v: want an error after half", body, err)
	}
	resp.Body.Close()

	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://name.test/silent", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	<-ended

	resp, err = client.Head("https://name.test/none")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("head: %+v, %v", resp, err)
	}
}

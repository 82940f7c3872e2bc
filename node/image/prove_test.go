package image

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestProve pulls what is here already: the registry is asked for a layer all the
// same, by every task that wants a proof, and a refusal fails the pull.
func TestProve(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	ref := h.push(t, "app:1", simple(t, "amd64", "base", "top"))
	pull := func(task string, prove bool) error {
		_, err := l.Pull(t.Context(), Request{Task: task, Ref: ref, Prove: prove})
		return err
	}
	if err := pull("t1", true); err != nil {
		t.Fatal(err)
	}
	if got := count(h.seen(), "GET blobs"); got != 3 {
		t.Errorf("a first pull fetched %d blobs, not a configuration and two layers", got)
	}
	if err := pull("t2", true); err != nil {
		t.Fatal(err)
	}
	if got := h.seen(); !slices.Equal(got, []string{"HEAD manifests", "GET blobs"}) {
		t.Errorf("a second pull took %q", got)
	}
	// Another image brings its documents; its layers are here.
	other := h.push(t, "other:1", simple(t, "arm64", "base", "top"))
	h.seen()
	if _, err := l.Pull(t.Context(), Request{Task: "t5", Ref: other, Arch: "ARM64", Prove: true}); err != nil {
		t.Fatal(err)
	}
	if got := count(h.seen(), "GET blobs"); got != 2 {
		t.Errorf("an image whose layers are here fetched %d blobs, not its configuration and a layer", got)
	}
	h.misbehave(func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
		if kind(r) == "blobs" {
			w.WriteHeader(http.StatusForbidden)
		}
		return kind(r) == "blobs"
	})
	if err := pull("t3", false); err != nil {
		t.Errorf("without a proof: %v", err)
	}
	err := pull("t4", true)
	if err == nil || !strings.Contains(err.Error(), "ref pull has been retried 1 time(s): failed to copy: ") || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("%v", err)
	}
}

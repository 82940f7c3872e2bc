package hosttest

import (
	"errors"
	"testing"
	"time"

	"neargate/node/sandbox"
)

// ahead makes containers before their tasks are opened: ones that are then asked for,
// others, and of tasks that are never opened.
func ahead(t *testing.T, h *Host) {
	ctx := t.Context()
	s, volume := sandbox.Spec{Task: "t", Memory: 256, Hostname: "a.test"}, sandbox.Mount{Volume: "v", Target: "/data", Copy: true}
	a, b, c := h.Container("a", "read", "/data/greeting"), h.Container("b", "read", "/data/greeting"), h.Container("c", "exit", "3")
	a.Mounts, a.ReadonlyRoot, b.Mounts = []sandbox.Mount{volume}, true, []sandbox.Mount{volume}
	h.ok(h.Prepare(ctx, s, a)) // without a reservation
	h.Reserved(ctx, "t")
	h.ok(errors.Join(h.Prepare(ctx, s, a), h.Prepare(ctx, s, a)))
	other := c
	other.Args = []string{"/guest", "exit", "4"}
	h.ok(h.Prepare(ctx, s, other))
	h.ok(h.Open(ctx, s))
	h.start("t", c, a, b)
	h.exits("t", "c", 3, false)
	for _, name := range []string{"a", "b"} {
		if got := h.exits("t", name, 0, false); got != "from the image\n" {
			t.Errorf("%s read %q", name, got)
		}
	}
	h.ok(h.Close(ctx, "t"))
	// It is opened as another than it was prepared for.
	h.Reserved(ctx, "t")
	h.ok(h.Prepare(ctx, s, c))
	s.Memory = 512
	h.ok(h.Sandbox.Open(ctx, s))
	h.start("t", c)
	h.exits("t", "c", 3, false)
	h.ok(h.Close(ctx, "t"))
	// It is given up meanwhile, while its sandbox starts or later.
	for i := range 16 {
		if i%2 == 0 {
			h.Reserved(ctx, "t")
		} else if _, _, err := h.Reserve(ctx, s); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- h.Prepare(ctx, s, a) }()
		time.Sleep(time.Duration(i/2) * 4 * time.Millisecond) // another moment of it each time
		h.ok(h.Close(ctx, "t"))
		<-done
	}
}

package node

import (
	"strings"
	"testing"
	"time"

	"neargate/resource/compute/taskdef"
)

// TestHealth has attempts, one every ten seconds, succeed (+) or fail (-), and
// compares the status after each: Healthy, Unhealthy, or ? for not known.
func TestHealth(t *testing.T) {
	for _, c := range []struct {
		retries, startPeriod *int32
		attempts, want       string
	}{
		{nil, nil, "+", "H"},
		{nil, nil, "---", "??U"},
		{nil, nil, "--+--+", "??HHHH"},
		{nil, nil, "+---", "HHHU"},
		{nil, nil, "---+", "??UH"},
		{nil, nil, "---+--", "??UHHH"},
		{new(int32(1)), nil, "-+-", "UHU"},
		{new(int32(2)), new(int32(30)), "----", "???U"},    // the third is made after 30 seconds
		{new(int32(1)), new(int32(30)), "-+-", "?HU"},      // a success ends the start period
		{new(int32(1)), new(int32(30)), "--+", "??H"},      //
		{new(int32(1)), new(int32(300)), "-----", "?????"}, //
		{new(int32(2)), new(int32(20)), "-+-+--", "?HHHHU"},
	} {
		h := newHealth(&taskdef.HealthCheck{Retries: c.retries, StartPeriod: c.startPeriod})
		var got strings.Builder
		last := h.status
		for i, a := range c.attempts {
			changed := h.seen(a == '+', time.Duration(i+1)*10*time.Second)
			if changed != (h.status != last) {
				t.Errorf("%q: attempt %d reports a change: %v", c.attempts, i, changed)
			}
			last = h.status
			got.WriteString(map[string]string{"HEALTHY": "H", "UNHEALTHY": "U", "UNKNOWN": "?"}[h.status])
		}
		if got.String() != c.want {
			t.Errorf("retries %v, start period %v: %q is %q, want %q", c.retries, c.startPeriod, c.attempts, got.String(), c.want)
		}
	}
	if h := newHealth(&taskdef.HealthCheck{}); h.interval != 30*time.Second || h.timeout != 5*time.Second || h.startPeriod != 0 || h.retries != 3 {
		t.Errorf("defaults %+v", h)
	}
}

package compute

import (
	"testing"
	"testing/quick"
)

func TestNextProviderSpreads(t *testing.T) {
	tests := []struct {
		name     string
		strategy []StrategyItem
		tasks    int
		want     map[string]int
	}{
		{"base first", []StrategyItem{{Fargate, 2, 1}, {FargateSpot, 0, 3}}, 2, map[string]int{Fargate: 2}},
		{"then weights", []StrategyItem{{Fargate, 2, 1}, {FargateSpot, 0, 3}}, 10, map[string]int{Fargate: 4, FargateSpot: 6}},
		{"one provider", []StrategyItem{{FargateSpot, 0, 1}}, 3, map[string]int{FargateSpot: 3}},
		{"zero weight takes only its base", []StrategyItem{{Fargate, 1, 0}, {FargateSpot, 0, 1}}, 5, map[string]int{Fargate: 1, FargateSpot: 4}},
	}
	for _, tt := range tests {
		have := map[string]int{}
		for range tt.tasks {
			have[NextProvider(tt.strategy, have)]++
		}
		for p, n := range tt.want {
			if have[p] != n {
				t.Errorf("%s: %v, want %v", tt.name, have, tt.want)
				break
			}
		}
	}
	if p := NextProvider([]StrategyItem{{Fargate, 1, 0}}, map[string]int{Fargate: 1}); p != "" {
		t.Errorf("all weights zero gave %q", p)
	}
}

func TestBounds(t *testing.T) {
	for _, tt := range []struct{ desired, minimum, maximum, lower, upper int }{
		{1, 100, 200, 1, 2}, {3, 50, 150, 2, 4}, {5, 33, 120, 2, 6}, {0, 100, 200, 0, 0}, {1, 50, 150, 1, 1},
	} {
		l, u := Rolling{tt.maximum, tt.minimum, 0}.Bounds(tt.desired)
		if l != tt.lower || u != tt.upper {
			t.Errorf("%d tasks at %d/%d%%: %d..%d, want %d..%d", tt.desired, tt.minimum, tt.maximum, l, u, tt.lower, tt.upper)
		}
	}
	if err := quick.Check(func(d, m uint8) bool {
		l, u := Rolling{100 + int(m), int(m) % 101, 0}.Bounds(int(d))
		return l <= int(d) && u >= int(d)
	}, nil); err != nil {
		t.Error(err)
	}
}

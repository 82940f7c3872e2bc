package recent

import (
	"strconv"
	"sync"
	"testing"
)

func TestGet(t *testing.T) {
	made := map[int]int{}
	c := New(10, func(k int) string {
		made[k]++
		return strconv.Itoa(k)
	})
	for i := range 1000 {
		for _, k := range []int{i, 0, i} {
			if got := c.Get(k); got != strconv.Itoa(k) {
				t.Fatalf("Get(%d) = %q", k, got)
			}
		}
		if n := len(c.young) + len(c.old); n > 20 {
			t.Fatalf("%d values kept", n)
		}
	}
	if c.Get(1); made[1] != 2 {
		t.Errorf("1 was made %d times, once and after it was forgotten", made[1])
	}
	if made[999] != 1 {
		t.Errorf("999 was made %d times, though it was asked for again at once", made[999])
	}
}

// TestSame asks for one value from many sides at once, while others push it out.
func TestSame(t *testing.T) {
	c := New(1000, func(int) *int { return new(int) })
	var wg sync.WaitGroup
	got := make([]*int, 8)
	for i := range got {
		wg.Go(func() { got[i] = c.Get(1) })
	}
	wg.Wait()
	for _, p := range got {
		if p != got[0] {
			t.Fatal("not all got the same")
		}
	}
}

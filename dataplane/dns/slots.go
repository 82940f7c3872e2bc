package dns

import "sync"

// slots bounds what goes on at once, in all and for one client.
type slots struct {
	max, each int

	mu    sync.Mutex
	taken map[client]int
	total int
}

func newSlots(max, each int) *slots { return &slots{max: max, each: each, taken: map[client]int{}} }

func (s *slots) take(c client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.max || s.taken[c] >= s.each {
		return false
	}
	s.total++
	s.taken[c]++
	return true
}

func (s *slots) give(c client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.taken[c]--; s.taken[c] == 0 {
		delete(s.taken, c)
	}
}

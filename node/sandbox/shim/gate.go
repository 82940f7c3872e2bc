package shim

import (
	"context"
	"slices"
	"sync"
)

// gate keeps the number of launches that go on at once near what the processors
// take: more only makes each of them last longer.
type gate struct {
	limit int // of launches
	quiet int // below which there is time for what nobody waits for

	mu    sync.Mutex
	busy  int
	first []chan struct{} // launches that wait, closed when it is their turn
	later []chan struct{} // what nobody waits for
}

// enter waits for a launch's turn, and returns what ends it.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	return g.wait(ctx, &g.first, g.limit)
}

// idle waits until little goes on, and returns what ends the use of that time.
func (g *gate) idle(ctx context.Context) (leave func(), err error) {
	return g.wait(ctx, &g.later, g.quiet)
}

// join is for what follows a launch: it is counted, but does not wait.
func (g *gate) join() (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy++
	return g.leave
}

func (g *gate) wait(ctx context.Context, queue *[]chan struct{}, below int) (leave func(), err error) {
	g.mu.Lock()
	if g.busy < below && len(g.first) == 0 {
		g.busy++
		g.mu.Unlock()
		return g.leave, nil
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return g.leave, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(*queue, turn)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	g.mu.Unlock()
	if i < 0 { // the turn came meanwhile
		g.leave()
	}
	return nil, ctx.Err()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	for g.busy < g.limit && len(g.first) > 0 {
		g.next(&g.first)
	}
	for g.busy < g.quiet && len(g.later) > 0 {
		g.next(&g.later)
	}
}

func (g *gate) next(queue *[]chan struct{}) {
	close((*queue)[0])
	*queue = (*queue)[1:]
	g.busy++
}

package shim

import (
	"context"
	"slices"
	"sync"
	"time"

	"neargate/internal/pause"
)

// gate keeps the number of launches that go on at once near what the processors
// take: more only makes each of them last longer.
type gate struct {
	limit int // of launches
	quiet int // below which there is time for what nobody waits for

	mu    sync.Mutex
	last  time.Time // of a launch's beginning or end
	busy  int
	first []chan struct{} // launches that wait, closed when it is their turn
	later []chan struct{} // what nobody waits for
}

// enter waits for a launch's turn, and returns what ends it.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	g.touch()
	return g.ends, g.wait(ctx, &g.first, g.limit)
}

// join is for what follows a launch: it is counted, but does not wait.
func (g *gate) join() (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy++
	return g.ends
}

func (g *gate) ends() {
	g.touch()
	g.leave()
}

// touch is for what precedes a launch.
func (g *gate) touch() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = time.Now()
}

// idle waits until little goes on, and returns what ends the use of that time:
// until nothing has happened for a moment, or else for the first time without
// many launches after patience.
func (g *gate) idle(ctx context.Context, calm, patience time.Duration) (leave func(), err error) {
	for begin := time.Now(); ; {
		if err := g.wait(ctx, &g.later, g.quiet); err != nil {
			return nil, err
		}
		g.mu.Lock()
		rest := calm - time.Since(g.last)
		g.mu.Unlock()
		if rest <= 0 || time.Since(begin) > patience {
			return g.leave, nil
		}
		g.leave()
		if !pause.For(ctx, rest) {
			return nil, ctx.Err()
		}
	}
}

func (g *gate) wait(ctx context.Context, queue *[]chan struct{}, below int) error {
	g.mu.Lock()
	if g.busy < below && len(g.first) == 0 {
		g.busy++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
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
	return ctx.Err()
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

package mvcc

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"neargate/store"
)

// backlog is how many events a slow watcher may be behind before it must list
// again.
const backlog = 1 << 16

// watcher is one Watch in progress.
type watcher struct {
	prefixes []string
	after    store.Rev
	ready    chan struct{}
	seen     *Commit // the last commit dispatched to it

	mu     sync.Mutex
	events []store.Event
	err    error
}

// watchers finds those concerned by a key.
type watchers struct {
	byTable map[string]prefixes // by the table of a whole name that a prefix begins with, "" for others
	woken   []*watcher
}

// prefixes are watchers by prefix, grouped by its length.
type prefixes map[int]map[string][]*watcher

// tableOf is what a key or prefix begins with up to the first separator, "" where there
// is none.
func tableOf(key string) string { return key[:strings.Index(key, store.Sep)+1] }

// Watch implements store.Store. It ends without an error when ctx does, with
// ErrClosed when the store is closed, and with ErrCompacted also when the
// consumer falls too far behind.
func (c *Core) Watch(ctx context.Context, after store.Rev, prefixes ...string) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		w, err := c.register(after, prefixes)
		if err != nil {
			yield(store.Event{}, err)
			return
		}
		defer c.unregister(w)
		for {
			events, err := w.take()
			for _, e := range events {
				if ctx.Err() != nil || !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Event{}, err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-w.ready:
			}
		}
	}
}

func (c *Core) register(after store.Rev, prefixes []string) (*watcher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return nil, c.closed
	}
	past, ok := c.history.after(after)
	if !ok {
		return nil, store.ErrCompacted
	}
	prefixes = slices.Clone(prefixes)
	slices.Sort(prefixes)
	w := &watcher{prefixes: slices.Compact(prefixes), after: after, ready: make(chan struct{}, 1)}
	for _, commit := range past {
		w.offer(commit)
	}
	for _, p := range w.prefixes {
		c.watchers.add(p, w)
	}
	return w, nil
}

func (c *Core) unregister(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range w.prefixes {
		c.watchers.remove(p, w)
	}
}

// offer queues the changes of a commit that the watcher asked for.
func (w *watcher) offer(commit *Commit) {
	if commit.Rev <= w.after {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	for _, ch := range commit.Changes {
		if !w.wants(ch.Key) {
			continue
		}
		e := store.Event{Key: ch.Key, Rev: commit.Rev}
		if ch.Item != nil {
			e.Val = ch.Item.Bytes()
		}
		w.events = append(w.events, e)
	}
	if len(w.events) > backlog {
		w.events, w.err = nil, store.ErrCompacted
	}
}

func (w *watcher) wants(key string) bool {
	return slices.ContainsFunc(w.prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

func (w *watcher) take() ([]store.Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.events
	w.events = nil
	return e, w.err
}

func (ws *watchers) add(prefix string, w *watcher) {
	in := ws.byTable[tableOf(prefix)]
	if in == nil {
		in = prefixes{}
		ws.byTable[tableOf(prefix)] = in
	}
	same := in[len(prefix)]
	if same == nil {
		same = map[string][]*watcher{}
		in[len(prefix)] = same
	}
	same[prefix] = append(same[prefix], w)
}

func (ws *watchers) remove(prefix string, w *watcher) {
	in := ws.byTable[tableOf(prefix)]
	same := in[len(prefix)]
	same[prefix] = slices.DeleteFunc(same[prefix], func(o *watcher) bool { return o == w })
	if len(same[prefix]) == 0 {
		delete(same, prefix)
	}
	if len(same) == 0 {
		delete(in, len(prefix))
	}
	if len(in) == 0 {
		delete(ws.byTable, tableOf(prefix))
	}
}

// dispatch offers the commit to every watcher that it concerns.
func (ws *watchers) dispatch(commit *Commit) {
	for _, ch := range commit.Changes {
		ws.offer(ws.byTable[""], ch.Key, commit)
		if t := tableOf(ch.Key); t != "" {
			ws.offer(ws.byTable[t], ch.Key, commit)
		}
	}
}

// offer offers the commit, which changes the key, to those who watch it.
func (ws *watchers) offer(in prefixes, key string, commit *Commit) {
	for n, same := range in {
		if len(key) < n {
			continue
		}
		for _, w := range same[key[:n]] {
			if w.seen != commit {
				w.seen = commit
				w.offer(commit)
				ws.woken = append(ws.woken, w)
			}
		}
	}
}

// wake lets the consumers of what was dispatched go on.
func (ws *watchers) wake() {
	for _, w := range ws.woken {
		w.signal()
	}
	clear(ws.woken)
	ws.woken = ws.woken[:0]
}

func (w *watcher) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (ws *watchers) close() {
	for _, in := range ws.byTable {
		for _, same := range in {
			for _, list := range same {
				for _, w := range list {
					w.end(store.ErrClosed)
				}
			}
		}
	}
}

// end ends a watch, unless it has ended.
func (w *watcher) end(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.signal()
}

package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"

	"neargate/store"
	"neargate/store/storetest"
)

func testServer(t testing.TB, adjust ...func(*config.ServerConfig)) *server {
	t.Helper()
	sv, err := startServer(t.Context(), testConfig(t, t.TempDir()), adjust...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sv.stop)
	return sv
}

func testConfig(t testing.TB, dir string) Config {
	return Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// join opens one more store on the server, as another process would.
func join(t testing.TB, sv *server, wrap func(clientv3.KV) clientv3.KV, watcher func(clientv3.Watcher) clientv3.Watcher) *Store {
	t.Helper()
	client := sv.client()
	if watcher != nil {
		client.Watcher = watcher(client.Watcher)
	}
	kv := client.KV
	if wrap != nil {
		kv = wrap(kv)
	}
	s, err := open(t.Context(), client, kv, nil, testConfig(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestManyProcessesAreSerializable(t *testing.T) {
	sv := testServer(t)
	storetest.Serializable(t, join(t, sv, nil, nil), join(t, sv, nil, nil), join(t, sv, nil, nil))
}

// lossy is a connection that fails: requests are lost, answers are lost, and
// requests arrive late.
type lossy struct{ clientv3.KV }

type lossyTxn struct {
	clientv3.Txn
}

func (l lossy) Txn(ctx context.Context) clientv3.Txn {
	return &lossyTxn{l.KV.Txn(context.WithoutCancel(ctx))}
}

func (l *lossyTxn) If(c ...clientv3.Cmp) clientv3.Txn  { l.Txn = l.Txn.If(c...); return l }
func (l *lossyTxn) Then(o ...clientv3.Op) clientv3.Txn { l.Txn = l.Txn.Then(o...); return l }
func (l *lossyTxn) Else(o ...clientv3.Op) clientv3.Txn { l.Txn = l.Txn.Else(o...); return l }

func (l *lossyTxn) Commit() (*clientv3.TxnResponse, error) {
	switch rand.IntN(12) {
	case 0:
		return nil, context.DeadlineExceeded
	case 1:
		l.Txn.Commit()
		return nil, context.DeadlineExceeded
	case 2:
		go func() {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			l.Txn.Commit()
		}()
		return nil, context.DeadlineExceeded
	}
	return l.Txn.Commit()
}

func TestUnclearOutcomesAreSettled(t *testing.T) {
	sv := testServer(t)
	lose := func(kv clientv3.KV) clientv3.KV { return lossy{kv} }
	stores := []store.Store{join(t, sv, lose, nil), join(t, sv, lose, nil)}
	t.Run("serializable", func(t *testing.T) { storetest.Serializable(t, stores...) })
	t.Run("exactly once", func(t *testing.T) {
		var wg sync.WaitGroup
		for _, s := range stores {
			for range 4 {
				wg.Go(func() {
					for range 40 {
						add(t, s, "sum")
					}
				})
			}
		}
		wg.Wait()
		for _, s := range stores {
			settle(t, s, "sum", fmt.Sprint(len(stores)*4*40))
		}
	})
}

func TestUnclearOutcomesAreSettledWithoutAWatch(t *testing.T) {
	c := testConfig(t, t.TempDir())
	c.TxnOps = embeddedTxnOps
	sv, err := startServer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	client := sv.client()
	s, err := open(t.Context(), client, lossy{client.KV}, sv, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Serializable(t, s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 40 {
				add(t, s, "sum")
			}
		})
	}
	wg.Wait()
	settle(t, s, "sum", "320")
}

func add(t testing.TB, s store.Store, key string) {
	err := s.Update(t.Context(), func(tx store.Tx) error {
		n := 0
		if v, err := tx.Get(key); err == nil {
			n, _ = strconv.Atoi(string(v.Bytes()))
		}
		tx.Put(key, strconv.AppendInt(nil, int64(n+1), 10))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// settle waits until the store shows the value; another's commit takes a moment.
func settle(t testing.TB, s store.Store, key, want string) {
	t.Helper()
	have := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.View(t.Context(), func(tx store.Tx) error {
			v, err := tx.Get(key)
			if err != nil {
				have = err.Error()
			} else {
				have = string(v.Bytes())
			}
			return nil
		})
		if have == want {
			return
		}
	}
	t.Errorf("%s is %s, want %s", key, have, want)
}

func set(t testing.TB, s store.Store, key, val string) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx store.Tx) error { tx.Put(key, []byte(val)); return nil }); err != nil {
		t.Error(err)
	}
}

// gate is a watcher that can be cut off.
type gate struct {
	clientv3.Watcher
	open   sync.RWMutex
	cancel context.CancelFunc
}

func (g *gate) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	g.open.RLock()
	defer g.open.RUnlock()
	ctx, g.cancel = context.WithCancel(ctx)
	return g.Watcher.Watch(ctx, key, opts...)
}

// shut cuts the watch off until the lock it takes is released.
func (g *gate) shut() {
	g.open.Lock()
	g.cancel()
}

func TestCompactedWatchLosesNothing(t *testing.T) {
	sv := testServer(t)
	var g gate
	a := join(t, sv, nil, nil)
	b := join(t, sv, nil, func(w clientv3.Watcher) clientv3.Watcher { g.Watcher = w; return &g })
	set(t, a, "gone", "1")
	set(t, a, "kept", "1")
	settle(t, b, "kept", "1")
	events := make(chan store.Event, 10)
	go func() {
		for e := range b.Watch(t.Context(), b.core.Rev(), "") {
			events <- e
		}
	}()
	g.shut()
	err := a.Update(t.Context(), func(tx store.Tx) error { tx.Delete("gone"); return nil })
	if err != nil {
		t.Fatal(err)
	}
	set(t, a, "new", "1")
	if err := sv.compact(t.Context(), a.applied.Load()); err != nil {
		t.Fatal(err)
	}
	g.open.Unlock()
	settle(t, b, "new", "1")
	settle(t, b, "gone", store.ErrNotFound.Error())
	settle(t, b, "kept", "1")
	for _, want := range []string{"gone", "new"} {
		if e := <-events; e.Key != want {
			t.Errorf("event %v, want %s", e, want)
		}
	}
	add(t, b, "sum")
	add(t, a, "sum")
	settle(t, b, "sum", "2")
}

// loseOne carries the next transaction out, runs then, and loses the answer.
type loseOne struct {
	clientv3.KV
	mu   sync.Mutex
	then func()
}

type loseOneTxn struct {
	lossyTxn
	kv *loseOne
}

func (l *loseOne) Txn(ctx context.Context) clientv3.Txn {
	return &loseOneTxn{lossyTxn{l.KV.Txn(ctx)}, l}
}

func (l *loseOneTxn) If(c ...clientv3.Cmp) clientv3.Txn  { l.Txn = l.Txn.If(c...); return l }
func (l *loseOneTxn) Then(o ...clientv3.Op) clientv3.Txn { l.Txn = l.Txn.Then(o...); return l }
func (l *loseOneTxn) Else(o ...clientv3.Op) clientv3.Txn { l.Txn = l.Txn.Else(o...); return l }

func (l *loseOneTxn) Commit() (*clientv3.TxnResponse, error) {
	l.kv.mu.Lock()
	then := l.kv.then
	l.kv.then = nil
	l.kv.mu.Unlock()
	r, err := l.Txn.Commit()
	if then != nil {
		then()
		return nil, context.DeadlineExceeded
	}
	return r, err
}

func TestForgottenOutcomeIsCalledUnknown(t *testing.T) {
	sv := testServer(t)
	var g gate
	var l loseOne
	a := join(t, sv, nil, nil)
	b := join(t, sv, func(kv clientv3.KV) clientv3.KV { l.KV = kv; return &l },
		func(w clientv3.Watcher) clientv3.Watcher { g.Watcher = w; return &g })
	set(t, b, "first", "1")
	settle(t, a, "first", "1")
	g.shut()
	l.mu.Lock()
	l.then = func() {
		set(t, a, "over", "it")
		if err := sv.compact(t.Context(), a.applied.Load()); err != nil {
			t.Error(err)
		}
		g.open.Unlock()
	}
	l.mu.Unlock()
	err := b.Update(t.Context(), func(tx store.Tx) error { tx.Put("unclear", []byte("1")); return nil })
	if !errors.Is(err, ErrUnknown) {
		t.Errorf("Update: %v", err)
	}
	settle(t, b, "over", "it")
	settle(t, b, "unclear", "1")
	set(t, b, "after", "1")
	settle(t, a, "after", "1")
}

// external serves the server's API on a socket and returns its address.
func external(t testing.TB, sv *server) string {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	g := v3rpc.Server(sv.etcd, nil, nil)
	go g.Serve(l)
	t.Cleanup(g.Stop)
	return "unix://" + path
}

func stock(c *config.ServerConfig) { c.MaxTxnOps = defaultTxnOps }

func TestExternalCluster(t *testing.T) {
	sv := testServer(t, stock)
	address := external(t, sv)
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		c := testConfig(t, "")
		c.Endpoints, c.Prefix = []string{address}, fmt.Sprintf("installation %d/", n)
		s, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestRestoreReachesOtherProcesses(t *testing.T) {
	sv := testServer(t, stock)
	a, b := join(t, sv, nil, nil), join(t, sv, nil, nil)
	for i := range 300 {
		set(t, a, fmt.Sprintf("k%03d", i), "old")
	}
	var archive bytes.Buffer
	if err := a.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	set(t, a, "later", "1")
	settle(t, b, "later", "1")
	if err := b.Restore(t.Context(), bytes.NewReader(archive.Bytes())); err != nil {
		t.Fatal(err)
	}
	settle(t, b, "later", store.ErrNotFound.Error())
	settle(t, a, "later", store.ErrNotFound.Error())
	add(t, a, "sum")
	settle(t, b, "sum", "1")
	again := join(t, sv, nil, nil)
	settle(t, again, "k299", "old")
	r, err := again.client.Get(t.Context(), again.dataKey, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || r.Count != 301 {
		t.Errorf("%d records are stored, %v", r.Count, err)
	}
}

func TestCrashedRestoreLeavesTheOldContent(t *testing.T) {
	sv := testServer(t, stock)
	a := join(t, sv, nil, nil)
	set(t, a, "k", "old")
	var archive bytes.Buffer
	if err := a.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.Put(t.Context(), a.markKey, "crashed"); err != nil {
		t.Fatal(err)
	}
	if err := a.stage(t.Context(), "crashed", &archive); err != nil {
		t.Fatal(err)
	}
	b := join(t, sv, nil, nil)
	settle(t, b, "k", "old")
	if err := b.Restore(t.Context(), &archive); !errors.Is(err, errRestoring) {
		t.Errorf("a second restore: %v", err)
	}
	if _, err := a.client.Delete(t.Context(), a.markKey); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		r, err := b.client.Get(t.Context(), b.dataKey, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err == nil && r.Count == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d records are stored, %v", r.Count, err)
		}
	}
	settle(t, b, "k", "old")
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	openDir(t, dir)
	if _, err := Open(t.Context(), testConfig(t, dir)); err == nil {
		t.Error("a second store opens the directory")
	}
}

func TestOverwritingDoesNotFillTheQuota(t *testing.T) {
	c := testConfig(t, t.TempDir())
	c.Quota = 24 << 20
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	val := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 60 {
		val[0] = byte(i)
		set(t, s, "k", string(val))
	}
	i := 0
	for err == nil && i < 300 {
		i++
		err = s.Update(t.Context(), func(tx store.Tx) error { tx.Put(fmt.Sprint("other", i), val); return nil })
	}
	if err == nil {
		t.Error("a full store takes writes")
	}
	s.Close()
	c.Quota = 100 << 20
	more, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	set(t, more, "room", "again")
}

// Package etcd is the durable store. etcd is the log, embedded in the process or
// an external cluster, and a tree in memory is its state: reads never leave the
// process, and a transaction costs what writing its bytes costs.
//
// # Commits
//
// All commits of an installation are one sequence, held together by the head key:
// each etcd transaction carries as many pending commits as there are, puts the
// head, and has one condition, that the head is still the one this process applied
// last. Conflicts are found in memory, so they are exact. Many processes may share
// an installation; who loses the head learns by its watch what it missed, and puts
// its pending commits after it. An outcome that etcd leaves open (a timeout, a lost
// leader) is settled, not guessed: the same transaction is sent again, and the
// token in the head tells whose commit took the place.
//
// # Keys
//
// Under the installation's prefix are "head", the sequence's newest commit;
// "d/GENERATION/KEY", the records, each with its index entries; "generation", the
// present one unless it is the first; and "restoring", there while a new generation is
// being filled. Restore switches the generation, in one commit.
package etcd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"neargate/store"
	"neargate/store/internal/mvcc"
)

// ErrUnknown reports that the outcome of a commit could not be found out: etcd
// neither confirmed nor refused it, and has forgotten the revisions that tell.
var ErrUnknown = errors.New("store: the outcome of the commit is unknown")

// The defaults of Config, which are etcd's own but for the quota.
const (
	defaultPrefix       = "neargate/"
	defaultTxnOps       = 128
	defaultRequestBytes = 3 << 19 // 1.5 MiB
	defaultQuota        = 4 << 30
)

// Config says where the data is: Dir or Endpoints must be set.
type Config struct {
	Dir    string // of the embedded server, made if absent; for one process at a time
	Logger *slog.Logger

	// Quota bounds the embedded server's database, in bytes; 0: 4 GiB. When what
	// is stored fills it, no write succeeds, deletions included, until the store
	// is opened with a higher one.
	Quota int64

	// Full, where set, is asked before each Update, which it refuses with ErrFull:
	// etcd ends when it cannot write.
	Full func() bool

	// Endpoints are the client URLs of an external cluster. It must compact its
	// history by itself (auto-compaction), since others may share it.
	Endpoints          []string
	TLS                *tls.Config
	Username, Password string

	Prefix       string // of all keys, one per installation; "": "neargate/"
	TxnOps       int    // the external cluster's --max-txn-ops; 0: 128
	RequestBytes int    // its --max-request-bytes; 0: 1.5 MiB
}

// Store is a store.Store on etcd.
type Store struct {
	core   *mvcc.Core
	client *clientv3.Client
	kv     clientv3.KV
	log    *slog.Logger
	server *server // nil with an external cluster

	headKey, dataKey, genKey, markKey string
	prefix                            string
	txnOps, requestBytes              int
	full                              func() bool
	process                           string // tells this process's tokens from others'
	serial                            atomic.Int64

	// Owned by the goroutine of run.
	gen      string // the generation the records are in
	seen     int64  // the etcd revision the watch has reached
	events   clientv3.WatchChan
	unfollow context.CancelFunc
	flight   *flight      // the transaction whose outcome is open
	applied  atomic.Int64 // the etcd revision of the head in the core; read by others

	switches chan switchTo
	stop     chan struct{}
	cancel   context.CancelFunc
	ended    sync.WaitGroup
	close    sync.Once
}

// firstGen is the generation of an installation that was never restored.
const firstGen = "0"

// head is the value of the head key.
type head struct {
	Rev   store.Rev `json:"rev"`
	Gen   string    `json:"gen"`
	Token string    `json:"token"` // of the transaction that put it
}

// Open starts or connects to etcd and reads the content.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if (c.Dir == "") == (len(c.Endpoints) == 0) {
		return nil, errors.New("store: one of directory and endpoints is needed")
	}
	if c.Dir == "" {
		client, err := clientv3.New(clientv3.Config{
			Context: context.WithoutCancel(ctx), Endpoints: c.Endpoints, TLS: c.TLS,
			Username: c.Username, Password: c.Password, DialTimeout: 5 * time.Second,
			Logger: zapLogger(c.Logger),
		})
		if err != nil {
			return nil, fmt.Errorf("store: connect to etcd: %w", err)
		}
		return open(ctx, client, client.KV, nil, c)
	}
	server, err := startServer(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("store: start etcd in %s: %w", c.Dir, err)
	}
	c.TxnOps, c.RequestBytes = embeddedTxnOps, defaultRequestBytes
	client := server.client()
	return open(ctx, client, client.KV, server, c)
}

// open makes a store on a client, which it closes in the end, as it does the
// server.
func open(ctx context.Context, client *clientv3.Client, kv clientv3.KV, server *server, c Config) (*Store, error) {
	s := &Store{client: client, kv: kv, log: c.Logger, server: server, full: c.Full,
		prefix: or(c.Prefix, defaultPrefix), txnOps: or(c.TxnOps, defaultTxnOps),
		requestBytes: or(c.RequestBytes, defaultRequestBytes), process: rand.Text(),
		switches: make(chan switchTo), stop: make(chan struct{})}
	s.headKey, s.dataKey = s.prefix+"head", s.prefix+"d/"
	s.genKey, s.markKey = s.prefix+"generation", s.prefix+"restoring"
	o := mvcc.Defaults()
	o.Pipeline = true
	o.MaxOps = min(o.MaxOps, s.txnOps-1)
	o.MaxBytes = min(o.MaxBytes, s.batchBytes())
	o.OpBytes = max(o.OpBytes, len(s.dataKey)+64)
	s.core = mvcc.New(o)
	at, err := s.read(ctx, 0)
	if err != nil {
		s.shut()
		return nil, fmt.Errorf("store: read from etcd: %w", err)
	}
	s.core.Load(at.head.Rev, at.items)
	s.gen, s.seen = at.head.Gen, at.revision
	s.applied.Store(at.modified)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.follow(run)
	s.ended.Go(func() { s.run(run) })
	s.ended.Go(func() { s.sweep(run) })
	if server != nil {
		s.ended.Go(func() { server.maintain(run, s.applied.Load) })
	}
	return s, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// batchBytes bounds the keys and values of one request, with room for the head.
func (s *Store) batchBytes() int { return s.requestBytes - 4096 }

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	return s.core.View(ctx, fn)
}

// Update implements store.Store. When ctx ends while the commit is on its way, or
// it returns ErrUnknown, the writes may or may not have been made.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if s.full != nil && s.full() {
		return store.ErrFull
	}
	return s.core.Update(ctx, fn)
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, after store.Rev, prefixes ...string) iter.Seq2[store.Event, error] {
	return s.core.Watch(ctx, after, prefixes...)
}

// Backup writes the content at one revision as an archive, while the store goes
// on.
func (s *Store) Backup(ctx context.Context, w io.Writer) error { return s.core.Backup(ctx, w) }

// Close commits what is pending, ends every watch, and stops an embedded server.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.core.Seal()
		close(s.stop)
		late := time.AfterFunc(closing, s.cancel)
		s.ended.Wait()
		late.Stop()
		s.shut()
	})
	return nil
}

// closing is how long Close waits for etcd to take the last commits.
const closing = 3 * time.Second

func (s *Store) shut() {
	s.core.Close(fmt.Errorf("%w: %w", store.ErrClosed, ErrUnknown))
	s.client.Close()
	if s.server != nil {
		s.server.stop()
	}
}

func (s *Store) nextHead(rev store.Rev, gen string) head {
	return head{Rev: rev, Gen: gen, Token: fmt.Sprintf("%s.%d", s.process, s.serial.Add(1))}
}

func (h head) encode() string {
	b, _ := json.Marshal(h) // cannot fail: a number and two strings
	return string(b)
}

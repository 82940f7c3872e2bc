package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/features"
	etcdmvcc "go.etcd.io/etcd/server/v3/storage/mvcc"
	"golang.org/x/sys/unix"

	"neargate/store/internal/mvcc"
)

// The embedded server is one member without listeners: it is reached by function
// calls only, so any number of installations run on one machine.
const (
	memberName     = "neargate"
	memberURL      = "http://neargate.invalid:2380" // a member needs one; nobody dials it
	tick           = 10                             // ms
	electionTicks  = 2                              // nobody competes, and the start waits for it
	snapshotCount  = 500                            // raft entries replayed at start, at most about twice
	catchUpEntries = 16                             // kept in memory for followers, of which there are none
)

// embeddedTxnOps lets every transaction that the core admits through, with the
// head.
const embeddedTxnOps = mvcc.MaxOps + 1

// server is the embedded etcd.
type server struct {
	etcd  *etcdserver.EtcdServer
	lock  *os.File
	log   *slog.Logger
	mu    sync.Mutex // one reclaim at a time
	floor int64      // the revision compacted to
	file  string     // the database
	size  int64      // of the database, when it got its blocks
}

// startServer starts the embedded etcd and waits until it leads.
func startServer(ctx context.Context, c Config, adjust ...func(*config.ServerConfig)) (*server, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	c.Dir = filepath.Join(c.Dir, "etcd")
	sc := serverConfig(c)
	for _, a := range adjust {
		a(&sc)
	}
	etcd, err := etcdserver.NewServer(sc)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s := &server{etcd: etcd, lock: lock, log: c.Logger, file: sc.BackendPath()}
	s.allot()
	etcd.Start()
	select {
	case <-etcd.ReadyNotify():
		return s, nil
	case <-etcd.StopNotify():
		err = errors.New("the server stopped")
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.stop()
	return nil, err
}

// lockDir claims the directory for this process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another process uses the directory: %w", err)
	}
	return f, nil
}

func serverConfig(c Config) config.ServerConfig {
	urls := types.MustNewURLs([]string{memberURL})
	_, err := os.Stat(filepath.Join(c.Dir, "member", "wal"))
	logger := zapLogger(c.Logger)
	return config.ServerConfig{
		Name:                        memberName,
		DataDir:                     c.Dir,
		ClientURLs:                  urls,
		PeerURLs:                    urls,
		InitialPeerURLsMap:          types.URLsMap{memberName: urls},
		InitialClusterToken:         memberName,
		NewCluster:                  os.IsNotExist(err),
		TickMs:                      tick,
		ElectionTicks:               electionTicks,
		InitialElectionTickAdvance:  true,
		PreVote:                     true,
		SnapshotCount:               snapshotCount,
		SnapshotCatchUpEntries:      catchUpEntries,
		MaxSnapFiles:                2,
		MaxWALFiles:                 2,
		BackendFreelistType:         bolt.FreelistMapType,
		QuotaBackendBytes:           or(c.Quota, defaultQuota),
		MaxTxnOps:                   embeddedTxnOps,
		MaxRequestBytes:             defaultRequestBytes,
		MaxConcurrentStreams:        math.MaxUint32,
		WarningApplyDuration:        time.Second,
		WarningUnaryRequestDuration: time.Second,
		StrictReconfigCheck:         true,
		BcryptCost:                  4, // of user passwords, of which there are none
		CompactHashCheckTime:        time.Minute,
		V2Deprecation:               config.V2DeprDefault,
		ServerFeatureGate:           features.NewDefaultServerFeatureGate(memberName, logger),
		Logger:                      logger,
		Metrics:                     "basic",
	}
}

// client returns a client that calls the server's functions.
func (s *server) client() *clientv3.Client { return v3client.New(s.etcd) }

func (s *server) stop() {
	s.etcd.Stop()
	s.lock.Close()
}

// Upkeep of the embedded database.
const (
	upkeepTime  = 20 * time.Second
	upkeepSize  = 128 << 20 // growth that calls for upkeep at once, if it is much of the whole
	upkeepCheck = time.Second
	spare       = 64 << 20 // free space in the file not worth a defragmentation
)

// ahead is how much of the file system the database has beyond its size. It grows by 16 MiB.
const ahead = 48 << 20

// allot gives the database the blocks of all its pages, also of those that it has not
// written, and of its next growth. It ends the process when it cannot write a page, as it
// must a tenth of a second after a commit, and when old revisions are forgotten: others
// may have filled the disk by then. Where there is no room, or the file system makes no
// promises, it has what it has.
func (s *server) allot() {
	st, err := os.Stat(s.file)
	if err != nil || st.Size() == s.size {
		return
	}
	f, err := os.OpenFile(s.file, os.O_WRONLY, 0)
	if err == nil {
		err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, st.Size()+ahead)
		f.Close()
	}
	if s.size = st.Size(); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		s.size = 0 // another time
		s.log.Debug("the database got no blocks in advance", "err", err)
	}
}

// maintain forgets old revisions and gives freed space back, until ctx ends.
// applied tells the etcd revision that the store has reached.
func (s *server) maintain(ctx context.Context, applied func() int64) {
	tick := time.NewTicker(upkeepCheck)
	defer tick.Stop()
	before, last, size := applied(), time.Now(), s.etcd.Backend().SizeInUse()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.allot()
		if !due(time.Since(last), size, s.etcd.Backend().SizeInUse()) {
			continue
		}
		if err := s.compact(ctx, before); err != nil && ctx.Err() == nil {
			s.log.Warn("compact the store", "err", err)
		}
		before, last, size = applied(), time.Now(), s.etcd.Backend().SizeInUse()
	}
}

// due reports whether upkeep is worth its while so long after the last one, with so many
// bytes in use after it and now. It looks at all records, of which not more than what the
// database has grown by can be old: a fixed share of them makes its cost one of writing.
func due(since time.Duration, before, now int64) bool {
	grown := now - before
	return since >= upkeepTime && grown >= before/8 || grown >= max(upkeepSize, before/4)
}

// compact forgets the revisions before the given one, and defragments the file
// when most of it is free. The server is busy for the time that the latter takes.
func (s *server) compact(ctx context.Context, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.forget(ctx, revision); err != nil {
		return err
	}
	b := s.etcd.Backend()
	if free := b.Size() - b.SizeInUse(); free < spare || free < b.SizeInUse() {
		return nil
	}
	return s.defrag()
}

// forget compacts to the revision and waits until the space is free.
func (s *server) forget(ctx context.Context, revision int64) error {
	if revision <= s.floor {
		return nil
	}
	_, err := s.etcd.Compact(ctx, &etcdserverpb.CompactionRequest{Revision: revision, Physical: true})
	if err != nil && !errors.Is(err, etcdmvcc.ErrCompacted) {
		return err
	}
	s.floor = revision
	return nil
}

func (s *server) defrag() error {
	start, b := time.Now(), s.etcd.Backend()
	before := b.Size()
	err := b.Defrag()
	s.log.Info("defragmented the store", "before", before, "after", b.Size(), "took", time.Since(start), "err", err)
	return err
}

// reclaim makes room when the quota is reached: it forgets all old revisions,
// shrinks the file, and lifts the alarm. It reports whether there is room now.
func (s *server) reclaim(ctx context.Context, applied int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.forget(ctx, applied); err != nil {
		s.log.Error("compact the full store", "err", err)
		return false
	}
	if err := s.defrag(); err != nil {
		return false
	}
	quota := s.etcd.Cfg.QuotaBackendBytes
	if s.etcd.Backend().Size() > quota-quota/10 {
		s.log.Error("the store is full", "quota", quota)
		return false
	}
	_, err := s.etcd.Alarm(ctx, &etcdserverpb.AlarmRequest{
		Action: etcdserverpb.AlarmRequest_DEACTIVATE,
		Alarm:  etcdserverpb.AlarmType_NOSPACE, MemberID: uint64(s.etcd.MemberID()),
	})
	return err == nil
}

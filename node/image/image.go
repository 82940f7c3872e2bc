// Package image is the image library of a node: it pulls images from registries,
// keeps their layers unpacked and shared, and removes what nobody uses.
//
// On disk, under Config.Dir, which only root may enter:
//
//	blobs/    what came from registries, by digest
//	partial/  what came in part, by digest
//	layers/   a directory for each unpacked layer, named after its chain id
//	unpack/   what is being unpacked or removed; emptied at Open
//	images/   a file for each image: its blobs, layers and configuration
//	pins/     a file for each task: the images it uses
//	settled   which layers would survive a loss of power
//
// A blob or layer is under its name only when it is whole, so that a crash of the
// process at any moment leaves nothing that is half there. What a crash of the
// machine may have spoilt is found by its digest, or by not being settled.
package image

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"neargate/internal/registries"
)

// Config says where a library is and how it works. Only Dir and Log are needed.
type Config struct {
	Dir        string // without ':', ',' and '\', which overlayfs cannot take
	Registries registries.Config
	Parallel   int           // downloads at a time; 0: 16
	Keep       time.Duration // how long an image stays that no task uses; 0: a day
	High, Low  int           // percent: a file system fuller than High is emptied to Low of unused images; 0: 85, 80
	Reserve    uint64        // bytes that pulls leave free on the file system; 0: 512 MiB
	Pause      time.Duration // before the first new try after a failure, doubled each time; 0: half a second
	Now        func() time.Time
	Free       func(dir string) (free, total uint64, err error) // nil: statfs
	Log        *slog.Logger
}

// Defaults, and how many layers of one image are downloaded at a time.
const (
	parallel         = 16
	keep             = 24 * time.Hour
	high, low        = 85, 80
	reserve          = 512 << 20
	pause            = 500 * time.Millisecond
	downloadsPerPull = 3
)

// Library is an open image library. Its methods may be called by many goroutines.
type Library struct {
	dir        string
	registries registries.Config
	keep       time.Duration
	high, low  int
	reserve    uint64
	now        func() time.Time
	free       func(dir string) (free, total uint64, err error)
	log        *slog.Logger
	lock       *os.File

	pause, dialTimeout, idleTimeout time.Duration

	downloads        chan struct{} // a place for each blob on its way
	unpacks          chan struct{} // and for each layer being unpacked
	fetching, making keyed         // blobs by digest, layers by name

	collecting sync.Mutex

	mu     sync.Mutex
	images map[string]*record  // by the digest of their manifest
	pins   map[string][]pin    // by task, in the order they were made
	held   map[string]*holding // what pulls use: blobs by digest, layers by name

	settled settled
	fresh   map[string]bool // layers made since they were last settled, by name
}

// holding is a blob or layer that pulls use.
type holding struct {
	users int
	done  int64 // bytes of a blob that are here
}

// Open opens the library in a directory, or makes one there. At most one process
// has it open at a time.
func Open(c Config) (*Library, error) {
	l := &Library{
		dir: c.Dir, registries: c.Registries, now: c.Now, free: c.Free, log: c.Log,
		keep: or(c.Keep, keep), high: or(c.High, high), low: or(c.Low, low), reserve: or(c.Reserve, reserve),
		pause: or(c.Pause, pause), dialTimeout: dialTimeout, idleTimeout: idleTimeout,
		downloads: make(chan struct{}, or(c.Parallel, parallel)), unpacks: make(chan struct{}, 2),
		held: map[string]*holding{},
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.free == nil {
		l.free = statfs
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("image: %w", err), l.Close())
	}
	return l, nil
}

func (l *Library) open() (err error) {
	if l.dir, err = filepath.Abs(l.dir); err != nil {
		return err
	}
	if strings.ContainsAny(l.dir, `:,\`) {
		return fmt.Errorf("overlayfs cannot take the name of %s", l.dir)
	}
	for _, d := range []string{"", "blobs", "partial", "layers", "images", "pins"} {
		if err := os.MkdirAll(l.path(d), 0o700); err != nil {
			return err
		}
	}
	if l.lock, err = os.OpenFile(l.path("lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := unix.Flock(int(l.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%s is in use: %w", l.dir, err)
	}
	if err := os.Chmod(l.dir, 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(l.path("unpack")); err != nil {
		return err
	}
	if err := os.Mkdir(l.path("unpack"), 0o700); err != nil {
		return err
	}
	if err := l.revive(); err != nil {
		return err
	}
	return l.load()
}

// Close lets another process open the library. Nothing may be going on.
func (l *Library) Close() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}

func (l *Library) path(elem ...string) string {
	return filepath.Join(append([]string{l.dir}, elem...)...)
}

// Request asks for an image for a task.
type Request struct {
	Task string
	Ref  string // as in a task definition
	Arch string // X86_64 or ARM64, in any case; empty: X86_64
	// Dial opens connections to registries; nil: from the host.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialMirror opens connections to a mirror; nil: from the host.
	DialMirror func(ctx context.Context, mirror *url.URL) (net.Conn, error)
	// Credentials are for a host as it is dialed, which for docker.io is
	// registry-1.docker.io; a user without a name has a token as its password.
	// nil: anonymous.
	Credentials func(host string) (user, password string, err error)
	// Own reaches a registry of this installation; nil for any other. nil: none is.
	Own func(host string) http.RoundTripper
	// Prove makes the registry show that it would hand out the layers, also when all
	// of them are here already: that they are permits nothing.
	Prove bool
	// Progress is told how far the pull is, a few times a second, by one
	// goroutine at a time and not after Pull has returned.
	Progress func(Progress)
}

// Progress is how far a pull is, in bytes to download.
type Progress struct {
	Done, Total int64
}

// Image is an image that a task has pinned.
type Image struct {
	Ref      string // the full name
	Digest   string // as ECS shows it: of the index, if the name leads to one
	Manifest string // digest of the platform's manifest
	Layers   []string
	Config   ocispec.ImageConfig
	Size     int64 // bytes of the unpacked files
}

// Find tells what a task has pinned by a reference, newest first.
func (l *Library) Find(task, ref string) (Image, bool, error) {
	name, err := parse(ref)
	if err != nil {
		return Image{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	pins := l.pins[task]
	for i := len(pins) - 1; i >= 0; i-- {
		if r := l.images[pins[i].Manifest]; r != nil && pins[i].Ref == name {
			return l.image(pins[i], r), true, nil
		}
	}
	return Image{}, false, nil
}

// Release drops what a task has pinned; nil if that is nothing. A pull of the
// task's that still goes on pins again.
func (l *Library) Release(task string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unpin(task)
}

// Retain releases all tasks but these.
func (l *Library) Retain(tasks []string) error {
	stay := map[string]bool{}
	for _, t := range tasks {
		stay[t] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for t := range l.pins {
		if !stay[t] {
			errs = append(errs, l.unpin(t))
		}
	}
	return errors.Join(errs...)
}

// parse makes a reference a full one: httpd is docker.io/library/httpd:latest.
func parse(ref string) (string, error) {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return "", &Error{Text: err.Error(), Err: err}
	}
	return named.String(), nil
}

// hold keeps blobs and layers from being collected until they are let go.
func (l *Library) hold(keys ...string) (letGo func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if l.held[k] == nil {
			l.held[k] = &holding{}
		}
		l.held[k].users++
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, k := range keys {
			if l.held[k].users--; l.held[k].users == 0 {
				delete(l.held, k)
			}
		}
	}
}

// reached notes how much of a held blob is here.
func (l *Library) reached(key string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[key]; h != nil {
		h.done = n
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func statfs(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), (s.Blocks - s.Bfree + s.Bavail) * uint64(s.Bsize), nil
}

// Package install lays out the data directory of an installation: its lock,
// what the running daemon says of itself, its root credentials and its secrets.
package install

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Dir is an installation's data directory.
type Dir string

// ErrRunning reports that another daemon holds the data directory.
var ErrRunning = errors.New("install: another daemon is running on this data directory")

// ErrNotRunning reports that no daemon holds the data directory.
var ErrNotRunning = errors.New("install: no daemon is running on this data directory")

// Default is the data directory used when none is given: a system folder for
// root, otherwise one in the user's home.
func Default() Dir {
	if os.Geteuid() == 0 {
		return "/var/lib/neargate"
	}
	if home, err := os.UserHomeDir(); err == nil {
		return Dir(filepath.Join(home, ".local", "share", "neargate"))
	}
	return "neargate-data"
}

// Credentials are an access key as written for the user.
type Credentials struct {
	Account     string
	AccessKeyID string
	Secret      string
}

// Run is what a running daemon says of itself.
type Run struct {
	PID     int
	Started time.Time
	Address string // host:port of the front door
	Version string
}

// URL is the front door's address for clients.
func (r Run) URL() string { return "http://" + r.Address }

func (d Dir) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Store is the folder of the embedded store.
func (d Dir) Store() string { return d.path("store") }

// Logs is the folder of log events.
func (d Dir) Logs() string { return d.path("logs") }

// Trail is the folder of CloudTrail events.
func (d Dir) Trail() string { return d.path("trail") }

// TrailData holds the data events that trails select, until they are old.
func (d Dir) TrailData() string { return d.path("trail-data") }

// Objects is the folder of Amazon S3's objects.
func (d Dir) Objects() string { return d.path("objects") }

// Ledger is where the usage of tasks is recorded.
func (d Dir) Ledger() string { return d.path("ledger") }

// CA is the folder of the installation's certificate authority.
func (d Dir) CA() string { return d.path("ca") }

// Trust is where the layers are by which containers trust the installation.
func (d Dir) Trust() string { return d.path("trust") }

// Images is the folder of image layers.
func (d Dir) Images() string { return d.path("images") }

// Registry is where the registries' layers and manifests are kept.
func (d Dir) Registry() string { return d.path("registry") }

// Tasks is the folder of the sandboxes.
func (d Dir) Tasks() string { return d.path("tasks") }

// Tag tells the machine's installations apart, in the names of what they have in
// the kernel. It depends on the path only, so that an installation made anew at a
// path clears up after the one before.
func (d Dir) Tag() string {
	abs, err := filepath.Abs(string(d))
	if err != nil {
		abs = string(d)
	}
	h := sha256.Sum256([]byte(abs))
	return hex.EncodeToString(h[:5])
}

// Spaces is the folder in which network namespaces are named. It does not outlive
// the kernel.
func (d Dir) Spaces() string { return filepath.Join("/run/neargate", d.Tag()) }

// Cgroup is the parent of the tasks' cgroups, below each hierarchy.
func (d Dir) Cgroup() string { return "/neargate/" + d.Tag() }

// Pool is the range of public addresses that SavePool kept, and os.ErrNotExist
// before.
func (d Dir) Pool() (p netip.Prefix, err error) { return p, d.load("pool.json", &p) }

// SavePool keeps the installation's range of public addresses.
func (d Dir) SavePool(p netip.Prefix) error { return d.save("pool.json", p) }

// Log is the file a daemon in the background logs to.
func (d Dir) Log() string { return d.path("neargate.log") }

// Socket is the unix socket of the administration interface.
func (d Dir) Socket() string { return d.path("admin.sock") }

// Make creates the directory, readable by its owner only.
func (d Dir) Make() error { return os.MkdirAll(string(d), 0o700) }

// Lock takes the directory for this process until the returned release is
// called or the process ends, however it ends. It returns ErrRunning when another
// process has it.
func (d Dir) Lock() (release func(), err error) {
	f, err := os.OpenFile(d.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return lock(f)
}

// LockSpaces takes the folder of network namespaces, which must be there, as Lock
// does the directory: it also tells of a daemon whose directory was removed.
func (d Dir) LockSpaces() (release func(), err error) {
	f, err := os.Open(d.Spaces())
	if err != nil {
		return nil, err
	}
	return lock(f)
}

func lock(f *os.File) (release func(), err error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// SaveRun publishes r; the daemon calls it once it answers.
func (d Dir) SaveRun(r Run) error { return d.save("run.json", r) }

// ClearRun withdraws what SaveRun published.
func (d Dir) ClearRun() error {
	err := os.Remove(d.path("run.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Running returns what the daemon that holds the directory says of itself, or
// ErrNotRunning. What a killed daemon left behind does not count.
func (d Dir) Running() (Run, error) {
	var r Run
	if err := d.load("run.json", &r); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNotRunning
		}
		return r, err
	}
	release, err := d.Lock()
	if err == nil {
		release()
		return Run{}, ErrNotRunning
	}
	if !errors.Is(err, ErrRunning) {
		return Run{}, err
	}
	return r, nil
}

// SaveRoot keeps the root credentials, readable by the owner only.
func (d Dir) SaveRoot(c Credentials) error { return d.save("root.json", c) }

// Root returns the root credentials.
func (d Dir) Root() (Credentials, error) {
	var c Credentials
	err := d.load("root.json", &c)
	return c, err
}

// Secret returns the installation's secret of the given name, making it on first
// use.
func (d Dir) Secret(name string) (key [32]byte, err error) {
	file := d.path(name + ".key")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := rand.Read(key[:]); err != nil {
			return key, err
		}
		return key, write(file, key[:])
	}
	if err == nil && len(b) != len(key) {
		err = fmt.Errorf("install: %s has %d bytes instead of %d", file, len(b), len(key))
	}
	copy(key[:], b)
	return key, err
}

func (d Dir) load(name string, v any) error {
	b, err := os.ReadFile(d.path(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("install: %s: %w", d.path(name), err)
	}
	return nil
}

func (d Dir) save(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return write(d.path(name), append(b, '\n'))
}

// write replaces a file so that a crash leaves the old or the new content.
func write(file string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

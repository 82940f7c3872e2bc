// Package trust makes containers trust an installation's own certificate authority
// beside those that their image trusts: by a layer over the image's own, which
// extends the bundles of certificates that the image has, wherever it has them.
//
// An image without any gets a bundle with the one authority. Programs that bring
// bundles of their own are told by environment variables.
package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"neargate/node/image/layered"
)

// Paths of what containers get in any case: the authority, and a bundle of those that
// the image trusts, or else this host, with the authority.
const (
	authorityPath = "/etc/neargate/ca.pem"
	bundlePath    = "/etc/neargate/ca-bundle.pem"
)

// bundles are where systems have their bundles. Source: Go, crypto/x509/root_linux.go,
// and the packages ca-certificates of the distributions.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Amazon Linux, Fedora
	"/etc/ssl/ca-bundle.pem",                            // SUSE
	"/etc/pki/tls/cacert.pem",                           // OpenELEC
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Amazon Linux 2023, RHEL
	"/etc/pki/tls/cert.pem",                             // OpenSSL there
	"/etc/ssl/cert.pem",                                 // Alpine's LibreSSL and OpenSSL
	"/usr/lib/ssl/cert.pem",                             // OpenSSL of Debian
}

// hashed is the folder in which OpenSSL finds authorities by a hash of their names.
const hashed = "/etc/ssl/certs"

// anchors are the folders from which systems make their bundles anew.
var anchors = []string{"/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors", "/etc/pki/trust/anchors"}

// mostBundle is how many bytes of a bundle are read.
const mostBundle = 16 << 20

// remembered bounds how many images are remembered.
const remembered = 1024

// Store makes layers in a directory. Its methods may be called by many goroutines.
type Store struct {
	dir       string
	authority []byte // PEM
	hash      string // file name by which OpenSSL finds it
	host      []byte // the bundle of this host

	mu   sync.Mutex
	made map[string]string // layer by the layers below it
}

// Open is the store in a directory, which is made, for an authority. Root is the root
// directory of this host, whose bundle is for images without any.
func Open(dir string, authority *x509.Certificate, root string) (*Store, error) {
	s := &Store{dir: dir, made: map[string]string{}}
	s.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw})
	h, err := subjectHash(authority.RawSubject)
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	s.hash = h + ".0"
	for _, b := range bundles {
		if s.host, err = os.ReadFile(filepath.Join(root, b)); err == nil {
			break
		}
	}
	return s, os.MkdirAll(dir, 0o700)
}

// Clear removes all layers. No container may have one.
func (s *Store) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := os.ReadDir(s.dir)
	for _, e := range all {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, e.Name())))
	}
	clear(s.made)
	return err
}

// Environment is what tells programs with bundles of their own. Sources: AWS SDKs and
// Tools Reference Guide, ca_bundle; Node.js, command-line options.
func Environment() []string {
	return []string{"AWS_CA_BUNDLE=" + bundlePath, "NODE_EXTRA_CA_CERTS=" + authorityPath}
}

// Layer is the directory of the layer that goes over those of an image, the
// uppermost first.
func (s *Store) Layer(image []string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.Join(image, "\x00")
	if dir, ok := s.made[key]; ok {
		return dir, nil
	}
	l, err := s.plan(image)
	if err != nil {
		return "", fmt.Errorf("trust: %w", err)
	}
	dir, err := s.write(l)
	if err != nil {
		return "", fmt.Errorf("trust: %w", err)
	}
	if len(s.made) >= remembered {
		clear(s.made)
	}
	s.made[key] = dir
	return dir, nil
}

// layer is what is in a layer, by path below the root.
type layer struct {
	files map[string][]byte
	dirs  map[string]dir
}

// dir is how a directory looks in the image, which a layer over it must not change.
type dir struct {
	mode     fs.FileMode
	uid, gid uint32
}

// plan says what the layer over an image holds.
func (s *Store) plan(image []string) (layer, error) {
	l := layer{map[string][]byte{}, map[string]dir{}}
	t, err := layered.Open(image)
	if err != nil {
		return l, err
	}
	defer t.Close()
	var first []byte
	for _, b := range bundles {
		f, err := t.Open(b)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
			continue
		}
		if err != nil {
			return l, err
		}
		text, err := io.ReadAll(io.LimitReader(f, mostBundle))
		f.Close()
		if err != nil {
			return l, err
		}
		if first == nil {
			first = text
		}
		if err := l.put(t, b, s.extend(text)); err != nil {
			return l, err
		}
	}
	all := first
	if all == nil {
		all = s.host
		err = l.put(t, bundles[0], s.authority)
	}
	err = errors.Join(err, l.put(t, bundlePath, s.extend(all)), l.put(t, authorityPath, s.authority))
	if found, e := t.Find(hashed); e == nil && len(found.Rest) == 0 {
		err = errors.Join(err, l.put(t, path.Join(hashed, s.hash), s.authority))
	}
	for _, a := range anchors {
		if found, e := t.Find(a); e == nil && len(found.Rest) == 0 {
			err = errors.Join(err, l.put(t, path.Join(a, "neargate.crt"), s.authority))
		}
	}
	return l, err
}

// extend adds the authority to a bundle.
func (s *Store) extend(bundle []byte) []byte {
	bundle = bytes.TrimRight(bundle, "\n")
	if len(bundle) == 0 {
		return s.authority
	}
	return slices.Concat(bundle, []byte("\n"), s.authority)
}

// put adds a file at a path of the image, behind its links. Where the image has
// something that is no directory on the way, or no file at the end, it stays so.
func (l *layer) put(t layered.Tree, name string, content []byte) error {
	p, err := t.Find(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP):
		return nil
	case err != nil:
		return err
	case len(p.Rest) == 0 && (p.Info == nil || !p.Info.Mode().IsRegular()),
		len(p.Rest) > 0 && p.Info != nil && !p.Info.IsDir(),
		slices.Contains(p.Rest, ".."):
		return nil
	}
	file := path.Join(append([]string{p.Path}, p.Rest...)...)
	l.files[file] = content
	for d := path.Dir(file); ; d = path.Dir(d) {
		l.dirs[d] = dir{mode: 0o755}
		if here, err := t.Find(d); err == nil && len(here.Rest) == 0 && here.Info != nil && here.Path == d {
			if st, ok := here.Info.Sys().(*syscall.Stat_t); ok {
				l.dirs[d] = dir{here.Info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky), st.Uid, st.Gid}
			}
		}
		if d == "." {
			return nil
		}
	}
}

// name is a layer's name: it depends on all that is in it.
func (l *layer) name() string {
	h := sha256.New()
	add := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, d := range slices.Sorted(maps.Keys(l.dirs)) {
		add([]byte(d))
		add(fmt.Append(nil, l.dirs[d]))
	}
	for _, f := range slices.Sorted(maps.Keys(l.files)) {
		add([]byte(f))
		add(l.files[f])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// write makes the directory of a layer, whole or not at all.
func (s *Store) write(l layer) (string, error) {
	final := filepath.Join(s.dir, l.name())
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	tmp, err := os.MkdirTemp(s.dir, ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) // not there any more when all went well
	for _, d := range slices.Sorted(maps.Keys(l.dirs)) {
		if err := os.MkdirAll(filepath.Join(tmp, d), 0o755); err != nil {
			return "", err
		}
	}
	for _, f := range slices.Sorted(maps.Keys(l.files)) {
		if err := writeFile(filepath.Join(tmp, f), l.files[f]); err != nil {
			return "", err
		}
	}
	for d, is := range l.dirs {
		at := filepath.Join(tmp, d)
		if err := errors.Join(os.Chown(at, int(is.uid), int(is.gid)), os.Chmod(at, is.mode)); err != nil {
			return "", err
		}
	}
	return final, os.Rename(tmp, final)
}

// writeFile writes a file that survives a loss of power once its directory does.
func writeFile(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

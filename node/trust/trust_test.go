package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"neargate/internal/ca"
	"neargate/node/image/layered"
)

// TestSubjectHash has what OpenSSL says of the same names.
func TestSubjectHash(t *testing.T) {
	for subject, want := range map[string]string{
		"30383111300f060355040a0c086e656172676174653123302106035504030c1a6e65617267617465206c6f63616c204341203061316232633364":                                             "33ec4102",
		"304e310b300906035504061302444531193017060355040a0c10c39c6ec3af2020436f64652020496e6331123010060355040b0c09204c65616420696e673110300e06035504030c074d695865442f78": "796c676a",
		"304431133011060a0992268993f22c64011916036f726731173015060a0992268993f22c64011916076578616d706c653114300806035504030c01613008060355040b0c0162":                     "d4e9cdbc",
	} {
		b, err := hex.DecodeString(subject)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := subjectHash(b); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", subject, got, err, want)
		}
	}
	if _, err := subjectHash([]byte("x")); err == nil {
		t.Error("no name has a hash")
	}
}

// store is a store on a host that trusts HOST.
func store(t *testing.T) (*Store, *x509.Certificate) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: makes layers")
	}
	authority, err := ca.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	root := files(t, map[string]string{"etc/ssl/certs/ca-certificates.crt": "HOST\n"})
	s, err := Open(filepath.Join(t.TempDir(), "trust"), authority.Certificate(), root)
	if err != nil {
		t.Fatal(err)
	}
	return s, authority.Certificate()
}

// files makes a directory: texts that begin with -> are links, and names that end
// with / directories.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(content)) {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content[name], "->"); ok {
			err = os.Symlink(target, at)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(at, 0o755)
		} else {
			err = os.WriteFile(at, []byte(content[name]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// show are the files of a layer, with CA for the authority.
func show(t *testing.T, s *Store, layer string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(layer, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		text := strings.ReplaceAll(strings.ReplaceAll(string(bytes.ReplaceAll(b, s.authority, []byte("CA"))), "\n", " "), s.hash, "HASH")
		all = append(all, strings.ReplaceAll(strings.TrimPrefix(p, layer), s.hash, "HASH")+": "+text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all) // a hash may come before or after what is beside it
	return strings.Join(all, "\n")
}

func TestLayer(t *testing.T) {
	s, _ := store(t)
	const own = "/etc/neargate/ca-bundle.pem: IMAGE CA\n/etc/neargate/ca.pem: CA"
	for name, tt := range map[string]struct {
		image []map[string]string
		want  string
	}{
		"nothing": {nil, "/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/ca-certificates.crt: CA"},
		"Debian": {[]map[string]string{{
			"etc/ssl/certs/ca-certificates.crt": "IMAGE\n", "usr/lib/ssl/certs": "->/etc/ssl/certs", "usr/local/share/ca-certificates/": ""}},
			own + "\n/etc/ssl/certs/HASH: CA\n/etc/ssl/certs/ca-certificates.crt: IMAGE CA\n/usr/local/share/ca-certificates/neargate.crt: CA"},
		"Alpine": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": "IMAGE", "etc/ssl/cert.pem": "->certs/ca-certificates.crt"}},
			own + "\n/etc/ssl/certs/HASH: CA\n/etc/ssl/certs/ca-certificates.crt: IMAGE CA"},
		"Amazon Linux": {[]map[string]string{{
			"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": "IMAGE\n", "etc/pki/tls/certs/ca-bundle.crt": "->/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
			"etc/pki/tls/cert.pem": "->/etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/certs": "->../pki/tls/certs", "etc/pki/ca-trust/source/anchors/": ""}},
			own + "\n/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem: IMAGE CA\n/etc/pki/ca-trust/source/anchors/neargate.crt: CA\n/etc/pki/tls/certs/HASH: CA"},
		"several layers": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": "IMAGE"}, {"etc/ssl/certs/ca-certificates.crt": "OLD", "etc/ssl/cert.pem": "OTHER"}},
			own + "\n/etc/ssl/cert.pem: OTHER CA\n/etc/ssl/certs/HASH: CA\n/etc/ssl/certs/ca-certificates.crt: IMAGE CA"},
		"empty bundle": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": ""}},
			"/etc/neargate/ca-bundle.pem: CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/HASH: CA\n/etc/ssl/certs/ca-certificates.crt: CA"},
		"a link that leads nowhere": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": "->/opt/roots/all.pem", "opt/": ""}},
			"/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/HASH: CA\n/opt/roots/all.pem: CA"},
		"links in a circle": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": "->ca-certificates.crt", "etc/ssl/certs/": ""}},
			"/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/HASH: CA"},
		"links out of the image": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": "->../../../../../../../../tmp/all.pem", "tmp/": ""}},
			"/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/HASH: CA\n/tmp/all.pem: CA"},
		"a file on the way":  {[]map[string]string{{"etc/ssl": "x"}}, "/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA"},
		"a directory there":  {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt/": ""}}, "/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/HASH: CA"},
		"no directory /etc":  {[]map[string]string{{"etc": "x"}}, ""},
		"no further than it": {[]map[string]string{{"etc/ssl/certs/ca-certificates.crt": "->nowhere/../all.pem"}}, "/etc/neargate/ca-bundle.pem: HOST CA\n/etc/neargate/ca.pem: CA\n/etc/ssl/certs/HASH: CA"},
	} {
		var image []string
		for _, l := range tt.image {
			image = append(image, files(t, l))
		}
		dir, err := s.Layer(image)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := show(t, s, dir); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}

// TestOverlay mounts the layer over an image: directories keep their looks, and
// bundles are readable and have the authority.
func TestOverlay(t *testing.T) {
	s, authority := store(t)
	image := files(t, map[string]string{"etc/ssl/certs/ca-certificates.crt": "", "etc/passwd": "root"})
	private := filepath.Join(image, "etc/ssl")
	if err := os.Chmod(private, 0o750|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(private, 7, 8); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(private, 0o750|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	dir, err := s.Layer([]string{image})
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := unix.Mount("overlay", root, "overlay", unix.MS_RDONLY, "lowerdir="+dir+":"+image); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	info, err := os.Stat(filepath.Join(root, "etc/ssl"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); info.Mode() != fs.ModeDir|fs.ModeSetgid|0o750 || st.Uid != 7 || st.Gid != 8 {
		t.Errorf("%s of %d:%d", info.Mode(), st.Uid, st.Gid)
	}
	b, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(b) {
		t.Fatalf("%q, %v", b, err)
	}
	if _, err := authority.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/passwd")); err != nil {
		t.Error(err)
	}
	tree, err := layered.Open([]string{dir, image})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if f, err := tree.Open(bundlePath); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// TestSame makes one layer of images that have the same, at the same time, and makes
// it again after it was cleared.
func TestSame(t *testing.T) {
	s, _ := store(t)
	var images []string
	for i := range 8 {
		images = append(images, files(t, map[string]string{"etc/ssl/certs/ca-certificates.crt": "IMAGE", "app": fmt.Sprint(i)}))
	}
	dirs := make([]string, len(images))
	var wg sync.WaitGroup
	for i, image := range images {
		wg.Go(func() {
			var err error
			if dirs[i], err = s.Layer([]string{image}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(slices.Compact(slices.Sorted(slices.Values(dirs)))) != 1 {
		t.Errorf("%q", dirs)
	}
	left, err := os.ReadDir(s.dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	again, err := s.Layer([]string{images[0]})
	if err != nil || again != dirs[0] {
		t.Errorf("%s, %v", again, err)
	}
	if _, err := os.Stat(filepath.Join(again, bundlePath)); err != nil {
		t.Error(err)
	}
}

package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

// mount shows an image as an overlay, as a container sees it.
func mount(t *testing.T, i Image) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	dir, scratch := t.TempDir(), t.TempDir()
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	for _, d := range []string{upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + strings.Join(i.Layers, ":") + ",upperdir=" + upper + ",workdir=" + work
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// list describes every file of a tree, one a line.
func list(t *testing.T, root string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		rel, _ := filepath.Rel(root, path)
		line := fmt.Sprintf("%v %s %d:%d @%d", info.Mode(), rel, st.Uid, st.Gid, info.ModTime().Unix())
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" n%d %q", st.Nlink, b)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + to
		case info.Mode()&fs.ModeDevice != 0:
			line += fmt.Sprintf(" %d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		attrs := make([]byte, 1000)
		if n, err := unix.Llistxattr(path, attrs); err == nil {
			for _, a := range slices.Sorted(strings.SplitSeq(string(attrs[:n]), "\x00")) { // file systems list them in any order
				v := make([]byte, 100)
				if k, err := unix.Lgetxattr(path, a, v); err == nil && a != "" && !strings.HasPrefix(a, "trusted.overlay.") {
					line += fmt.Sprintf(" %s=%x", a, v[:k])
				}
			}
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n") + "\n"
}

// TestTree pulls an image with everything a layer may have, and compares what a
// container sees with what it should.
func TestTree(t *testing.T) {
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	base := pack(t,
		file{name: "./", mode: 0o751, uid: 3},
		file{name: "bin/", time: 100}, file{name: "bin/su", data: "su", mode: 0o4755, time: 50},
		file{name: "bin/ping", data: "ping", mode: 0o755, attrs: map[string]string{"security.capability": capability, "user.note": "hi", "trusted.overlay.redirect": "/x", "user.overlay.opaque": "y"}},
		file{name: "bin/sh", kind: tar.TypeSymlink, link: "su", time: 7}, file{name: "bin/hard", kind: tar.TypeLink, link: "bin/su", mode: 0o4755, time: 50},
		file{name: "dev/"}, file{name: "dev/null", kind: tar.TypeChar, dev: [2]int64{1, 3}, mode: 0o666}, file{name: "dev/loop", kind: tar.TypeBlock, dev: [2]int64{7, 0}, mode: 0o660, gid: 6},
		file{name: "dev/pipe", kind: tar.TypeFifo, mode: 0o600},
		file{name: "home/", mode: 0o700, uid: 1000, gid: 1001}, file{name: "home/a", data: "a", uid: 1000, gid: 1001},
		file{name: "tmp/", mode: 0o1777}, file{name: "gone/"}, file{name: "gone/x", data: "x"}, file{name: "gone-file", data: "x"},
		file{name: "opaque/"}, file{name: "opaque/old", data: "old"}, file{name: "replaced/"}, file{name: "replaced/old", data: "old"},
		file{name: "todir", data: "file"}, file{name: "tofile/"}, file{name: "tofile/x", data: "x"}, file{name: "again/"}, file{name: "again/old", data: "old"},
		file{name: "lib", kind: tar.TypeSymlink, link: "usr/lib"}, file{name: "usr/lib/", time: 9}, file{name: "/abs", data: "abs"},
		file{name: "over", data: "1"}, file{name: "over", data: "2"},
	)
	middle := pack(t,
		file{name: ".wh.gone"}, file{name: ".wh.gone-file"}, file{name: "opaque/"}, file{name: "opaque/.wh..wh..opq"}, file{name: "opaque/new", data: "new"},
		// A directory in place of one that is gone, before and after its mark.
		file{name: "replaced/"}, file{name: "replaced/new", data: "new"}, file{name: ".wh.replaced"},
		file{name: ".wh.again"}, file{name: "again/"}, file{name: "again/new", data: "new"},
		file{name: "todir/"}, file{name: "todir/y", data: "y"}, file{name: "tofile", data: "file"},
		file{name: ".wh..wh.plnk/"}, file{name: ".wh..wh.aufs", data: "x"},
		file{name: "home/b", data: "b"}, // without its directory
		file{name: "usr/lib/so", data: "so"}, file{name: "usr/local/share/deep", data: "deep"},
	)
	top := pack(t, file{name: "home/.wh.a"}, file{name: "gone-file", data: "back"})
	h := newHub(t)
	img := build(t, "amd64", v1.Config{}, layerOf(t, base, compression.GZip), layerOf(t, middle, compression.ZStd), layerOf(t, top, compression.None))
	l := open(t, Config{})
	old := syscall.Umask(0o077)
	i := mustPull(t, l, "t", h.push(t, "tree:1", img))
	syscall.Umask(old)
	for n, magic := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "home/.wh.a"} {
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, l.path("blobs", digestOf(t, layers[n]))); !strings.HasPrefix(got, magic) {
			t.Errorf("layer %d begins with %q", n, got[:4])
		}
	}
	root := mount(t, i)
	got := list(t, root)
	golden := filepath.Join("testdata", "tree.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(mask(got)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// What the library may not know: the times of directories it had to make.
	if want := read(t, golden); mask(got) != want {
		t.Errorf("got\n%s\nwant\n%s", mask(got), want)
	}
	for _, attr := range []string{"trusted.overlay.redirect", "user.overlay.opaque"} {
		if n, err := unix.Lgetxattr(filepath.Join(i.Layers[2], "bin", "ping"), attr, nil); err != unix.ENODATA {
			t.Errorf("%s: %d %v", attr, n, err)
		}
	}
	for n, layer := range i.Layers {
		info, err := os.Lstat(layer)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o751 || info.Sys().(*syscall.Stat_t).Uid != 3 {
			t.Errorf("the root of layer %d is %v", n, info.Mode())
		}
	}
	if err := os.WriteFile(filepath.Join(root, "opaque", "written"), []byte("x"), 0o644); err != nil {
		t.Error(err)
	}
}

// mask hides times of the present, to which no layer's archive goes.
func mask(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		before, after, ok := strings.Cut(line, "@")
		if stamp, rest, _ := strings.Cut(after, " "); ok && len(stamp) > 3 {
			lines[i] = before + "@now " + rest
		}
	}
	return strings.Join(lines, "\n")
}

// TestOpaqueRoot checks that nothing is seen below a layer whose root is opaque,
// which overlayfs does not know of.
func TestOpaqueRoot(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	img := build(t, "amd64", v1.Config{},
		layerOf(t, pack(t, file{name: "old", data: "old"}), compression.GZip),
		layerOf(t, pack(t, file{name: ".wh..wh..opq"}, file{name: "new", data: "new"}), compression.GZip),
		layerOf(t, pack(t, file{name: "newer", data: "newer"}), compression.GZip))
	i := mustPull(t, l, "t", h.push(t, "opaque:1", img))
	if len(i.Layers) != 2 {
		t.Fatalf("layers %v", i.Layers)
	}
	root := mount(t, i)
	for name, want := range map[string]bool{"old": false, "new": true, "newer": true} {
		if exists(filepath.Join(root, name)) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if again := mustPull(t, l, "u", i.Ref); !slices.Equal(again.Layers, i.Layers) {
		t.Errorf("%v, then %v", i.Layers, again.Layers)
	}
}

// TestRefused pulls images that are not what they should be.
func TestRefused(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	good := layerOf(t, pack(t, file{name: "a", data: "a"}), compression.GZip)
	withDiff := func(img v1.Image, change func(c *v1.ConfigFile)) v1.Image {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c = c.DeepCopy()
		change(c)
		out, err := mutate.ConfigFile(img, c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	one := build(t, "amd64", v1.Config{}, good)
	archive := func(files ...file) v1.Image {
		return build(t, "amd64", v1.Config{}, layerOf(t, pack(t, files...), compression.GZip))
	}
	blobOf := func(data []byte, diff v1.Hash, mt types.MediaType) v1.Image {
		img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(data, mt), MediaType: mt})
		if err != nil {
			t.Fatal(err)
		}
		return withDiff(img, func(c *v1.ConfigFile) {
			c.OS, c.Architecture, c.RootFS.DiffIDs = "linux", "amd64", []v1.Hash{diff}
		})
	}
	diff, err := good.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Repeat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00}, 3)
	var many []v1.Layer
	for range mostLayers + 1 {
		many = append(many, good)
	}
	for _, tt := range []struct {
		name string
		img  v1.Image
		want string
	}{
		{"up", archive(file{name: "../../evil", data: "x"}), `"../../evil" leads out of the layer`},
		{"inner up", archive(file{name: "a/"}, file{name: "a/../../evil", data: "x"}), `"../evil" leads out of the layer`},
		{"dir up", archive(file{name: "../", mode: 0o777}), `".." leads out of the layer`},
		{"link up", archive(file{name: "passwd", kind: tar.TypeLink, link: "../../../etc/passwd"}), `"passwd" leads out of the layer`},
		{"link nowhere", archive(file{name: "x", kind: tar.TypeLink, link: "absent"}), "no such file or directory"},
		{"whiteout up", archive(file{name: "a/.wh..", data: "x"}), "invalid whiteout name"},
		{"wrong diff", withDiff(one, func(c *v1.ConfigFile) { c.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64) }), "wrong diff id calculated on extraction \"" + diff.String() + `"`},
		{"more layers", withDiff(one, func(c *v1.ConfigFile) { c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, diff) }), "mismatched image rootfs and manifest layers: 2 and 1"},
		{"no layers", build(t, "amd64", v1.Config{}), "the image has no layers"},
		{"many layers", build(t, "amd64", v1.Config{}, many...), "the image has 128 layers, more than 127"},
		{"not gzip", blobOf([]byte("\x1f\x8b\x08garbage"), diff, types.DockerLayer), "failed to extract layer " + diff.String() + ": "},
		{"not zstd", blobOf(bomb, diff, types.OCILayerZStd), "failed to extract layer " + diff.String() + ": "},
		{"not tar", blobOf([]byte(strings.Repeat("garbage", 1000)), diff, types.OCIUncompressedLayer), "failed to extract layer " + diff.String() + ": "},
		{"truncated", blobOf(pack(t, file{name: "a", data: noise(1, 5000)})[:3000], diff, types.OCIUncompressedLayer), "unexpected EOF"},
		{"artifact", blobOf([]byte("chart"), diff, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"), "unsupported layer media type"},
		{"encrypted", blobOf([]byte("secret"), diff, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), "unsupported layer media type"},
	} {
		ref := h.push(t, "bad:1", tt.img)
		_, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "has been retried 1 time(s): ") {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		} else if strings.Contains(err.Error(), l.dir) {
			t.Errorf("%s: tells of the host: %v", tt.name, err)
		}
		if left, _ := os.ReadDir(l.path("unpack")); len(left) > 0 {
			t.Errorf("%s: left %v", tt.name, left)
		}
	}
	outside, _ := filepath.Glob(filepath.Join(filepath.Dir(l.dir), "evil"))
	inside, _ := filepath.Glob(l.path("*", "evil"))
	if len(outside)+len(inside) > 0 {
		t.Errorf("written: %v %v", outside, inside)
	}

	// Links that lead out are followed inside.
	i := mustPull(t, l, "t", h.push(t, "links:1", archive(
		file{name: "etc", kind: tar.TypeSymlink, link: "/evil"}, file{name: "evil/"}, file{name: "etc/x", data: "x"},
		file{name: "up", kind: tar.TypeSymlink, link: "../../.."}, file{name: "up/y", data: "y"})))
	for _, name := range []string{"evil/x", "y"} {
		if !exists(filepath.Join(i.Layers[0], name)) {
			t.Errorf("%s is not inside", name)
		}
	}
}

// TestManifests pulls documents that are no images.
func TestManifests(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	const good = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, tt := range []struct {
		name, text, want string
		mt               types.MediaType
	}{
		{"not JSON", `{"manifests":5}`, "cannot unmarshal number", types.OCIManifestSchema1},
		{"neither", "{}", "unsupported manifest media type", types.OCIManifestSchema1},
		{"both", `{"manifests":[],"layers":[],"config":{}}`, "is an index as well", types.OCIImageIndex},
		{"schema 1", `{"schemaVersion":1,"fsLayers":[{"blobSum":"` + good + `"}]}`, "no longer supported", "application/vnd.docker.distribution.manifest.v1+prettyjws"},
		{"bad digest", `{"config":{"digest":"../../etc/passwd","size":5}}`, `digest "../../etc/passwd"`, types.OCIManifestSchema1},
		{"no digest", `{"config":{"size":5}}`, `digest ""`, types.OCIManifestSchema1},
		{"no size", `{"config":{"digest":"` + good + `"}}`, "which reports content size of 0", types.OCIManifestSchema1},
		{"negative", `{"config":{"digest":"` + good + `","size":-1}}`, "which reports content size of -1", types.OCIManifestSchema1},
		{"huge", `{"config":{"digest":"` + good + `","size":9223372036854775807}}`, "which reports content size of 9223372036854775807", types.OCIManifestSchema1},
		{"absent", `{"config":{"digest":"` + good + `","size":5,"urls":["` + h.URL + `/elsewhere"],"data":"aGVsbG8="}}`, "not found", types.OCIManifestSchema1},
	} {
		ref := h.push(t, "bad:1", raw{tt.text, tt.mt})
		_, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "pull image manifest has been retried 1 time(s): ") {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
		if slices.Contains(h.seen(), "GET other") {
			t.Errorf("%s: a URL of the manifest's was fetched", tt.name)
		}
	}
}

// raw is a manifest with any text.
type raw struct {
	text string
	mt   types.MediaType
}

func (r raw) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(strings.NewReader(r.text))
	return h, err
}

func (r raw) Size() (int64, error)                { return int64(len(r.text)), nil }
func (r raw) RawManifest() ([]byte, error)        { return []byte(r.text), nil }
func (r raw) MediaType() (types.MediaType, error) { return r.mt, nil }

// TestDamaged checks that blobs that rot on disk are downloaded again.
func TestDamaged(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	img := simple(t, "amd64", noise(1, 5000))
	ref := h.push(t, "app:1", img)
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for digest, want := range map[string]string{
		topLayer(t, img): "GET blobs",
		config.String():  "GET blobs",
		digestOf(t, img): "GET manifests",
	} {
		i := mustPull(t, l, "t", ref)
		b := l.path("blobs", digest)
		for _, data := range []string{read(t, b)[1:] + "x", ""} {
			if err := os.WriteFile(b, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(i.Layers[0]); err != nil {
				t.Fatal(err)
			}
			h.seen()
			mustPull(t, l, "t", ref)
			if got := h.seen(); count(got, want) != 1 || len(got) != 1+count(got, "HEAD manifests") {
				t.Errorf("%s was damaged: %v", digest, got)
			}
		}
	}
}

// TestFull pulls onto a file system that is too small.
func TestFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	h := newHub(t)
	l := open(t, Config{Dir: dir, Reserve: 1, Free: statfs})
	fits := h.push(t, "fits:1", simple(t, "amd64", noise(1, 1<<20)))
	full := func(name, ref, want string) {
		t.Helper()
		_, err := l.Pull(t.Context(), Request{Task: "u", Ref: ref})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "no space left on device") || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	full("download", h.push(t, "big:1", simple(t, "amd64", noise(2, 6<<20))), "ref pull has been retried 1 time(s): write blobs: ")
	full("unpack", h.push(t, "zeros:1", simple(t, "amd64", strings.Repeat("0", 6<<20))), "failed to extract layer sha256:")
	i := mustPull(t, l, "t", fits)

	// What nobody uses makes room: the blob of the layer first, then the image.
	second := h.push(t, "second:1", simple(t, "amd64", noise(3, 1<<20)))
	mustPull(t, l, "t2", second)
	if !exists(i.Layers[0]) {
		t.Error("a pinned layer was removed")
	}
	if err := l.Release("t2"); err != nil {
		t.Fatal(err)
	}
	mustPull(t, l, "t3", h.push(t, "third:1", simple(t, "amd64", noise(4, 1<<20))))
	if !exists(i.Layers[0]) {
		t.Error("a pinned layer was removed")
	}

	// With nothing free to give, the reserve stays.
	l.reserve = 3 << 20
	full("reserve", h.push(t, "fourth:1", simple(t, "amd64", "x")), "no space left on device")
}

// BenchmarkUnpack unpacks a layer of 64 MiB in files of 64 KiB, half of it noise.
func BenchmarkUnpack(b *testing.B) {
	var files []file
	for i := range 1024 {
		files = append(files, file{name: fmt.Sprintf("d%d/f%d", i/64, i), data: noise(int64(i), 32<<10) + strings.Repeat("text of some sort\n", 32<<10/18)})
	}
	archive := pack(b, files...)
	for _, c := range []compression.Compression{compression.GZip, compression.ZStd, compression.None} {
		b.Run(string(c), func(b *testing.B) {
			h := newHub(b)
			ref := h.push(b, "big:1", build(b, "amd64", v1.Config{}, layerOf(b, archive, c)))
			l := open(b, Config{})
			b.SetBytes(int64(len(archive)))
			for b.Loop() {
				i := mustPull(b, l, "t", ref)
				b.StopTimer()
				if err := os.RemoveAll(i.Layers[0]); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

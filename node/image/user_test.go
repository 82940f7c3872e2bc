package image

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"neargate/node/sandbox"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
broken
nobody:x:65534:65534::/:/bin/false
app:x:1000:1001:App:/home/app:/bin/sh
1001:x:7:8:a name that is a number:/:/bin/sh
second:x:1000:9::/:/bin/sh
bad:x:one:two::/:/bin/sh
`

const group = `root:x:0:
adm:x:4:app,root
app:x:1001:
docker:x:999:root, app ,app
1234:x:5:
bad:x:x:app
`

func TestUser(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	i := mustPull(t, l, "t", h.push(t, "app:1", build(t, "amd64", v1.Config{},
		layerOf(t, pack(t, file{name: "etc/passwd", data: passwd}, file{name: "etc/group", data: group}), compression.GZip))))
	for spec, want := range map[string]any{
		"":              sandbox.User{Additional: []uint32{4, 999}},
		"root":          sandbox.User{Additional: []uint32{4, 999}},
		"0":             sandbox.User{Additional: []uint32{4, 999}},
		"app":           sandbox.User{UID: 1000, GID: 1001, Additional: []uint32{4, 999}},
		"1000":          sandbox.User{UID: 1000, GID: 1001, Additional: []uint32{4, 999}},
		"app:":          sandbox.User{UID: 1000, GID: 1001, Additional: []uint32{4, 999}},
		"app:adm":       sandbox.User{UID: 1000, GID: 4},
		"app:77":        sandbox.User{UID: 1000, GID: 77},
		"4242":          sandbox.User{UID: 4242},
		"4242:adm":      sandbox.User{UID: 4242, GID: 4},
		"4242:4243":     sandbox.User{UID: 4242, GID: 4243},
		":adm":          sandbox.User{GID: 4},
		"1001":          sandbox.User{UID: 1001}, // a number before a name
		"nobody":        sandbox.User{UID: 65534, GID: 65534},
		"0:0":           sandbox.User{},
		"nosuch":        "unable to find user nosuch: no matching entries in passwd file",
		"app:nosuch":    "unable to find group nosuch: no matching entries in group file",
		"bad":           "unable to find user bad: no matching entries in passwd file",
		"-1":            "unable to find user -1: no matching entries in passwd file",
		"4294967295":    "unable to find user 4294967295: no matching entries in passwd file",
		"0:99999999999": "unable to find group 99999999999: no matching entries in group file",
		"../etc/passwd": "unable to find user ../etc/passwd: no matching entries in passwd file",
	} {
		got, err := i.User(spec)
		if text, ok := want.(string); ok {
			if err == nil || err.Error() != text {
				t.Errorf("%q: %v", spec, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v; want %+v", spec, got, err, want)
		}
	}
}

// TestUserLayers looks for users where layers change, hide or move the file, and
// compares with what the overlay shows.
func TestUserLayers(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(secret, []byte("app:x:666:666::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	line := func(n int) string { return fmt.Sprintf("app:x:%d:%d::/:/bin/sh\n", n, n) }
	link := func(name, to string) file { return file{name: name, kind: tar.TypeSymlink, link: to} }
	h := newHub(t)
	l := open(t, Config{})
	for n, tt := range []struct {
		name   string
		layers [][]file
		want   uint32 // 0: not found
	}{
		{"upper wins", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: "etc/passwd", data: line(2)}}}, 2},
		{"lower is seen", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: "etc/other", data: "x"}}}, 1},
		{"removed", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: "etc/.wh.passwd"}}}, 0},
		{"directory removed", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: ".wh.etc"}}}, 0},
		{"directory made anew", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: ".wh.etc"}}, {{name: "etc/group", data: "x"}}}, 0},
		{"opaque", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: "etc/.wh..wh..opq"}, {name: "etc/x", data: "x"}}}, 0},
		{"a file instead of the directory", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: "etc", data: "x"}}}, 0},
		{"a directory instead of the file", [][]file{{{name: "etc/passwd", data: line(1)}}, {{name: "etc/passwd/x", data: "x"}}}, 0},
		{"a link", [][]file{{{name: "usr/lib/passwd", data: line(3)}, link("etc/passwd", "../usr/lib/passwd")}}, 3},
		{"an absolute link", [][]file{{{name: "usr/lib/passwd", data: line(4)}}, {link("etc/passwd", "/usr/lib/passwd")}}, 4},
		{"a linked directory", [][]file{{{name: "data/etc/passwd", data: line(5)}, link("etc", "data/etc")}, {{name: "data/etc/x", data: "x"}}}, 5},
		{"a link to a link, up and down", [][]file{{{name: "a/b/c", data: line(6)}, link("l1", "a/../a/b"), link("etc/passwd", "/l1/./c")}}, 6},
		{"a link that leads out", [][]file{{link("etc/passwd", "../../../../../../../.."+secret)}}, 0},
		{"an absolute link that leads out", [][]file{{link("etc/passwd", secret)}}, 0},
		{"a directory that leads out", [][]file{{link("etc", filepath.Dir(secret))}}, 0},
		{"up from the root", [][]file{{{name: "p", data: line(7)}, link("etc/passwd", "../../../../p")}}, 7},
		{"a loop", [][]file{{link("etc/passwd", "passwd")}}, 0},
		{"a device", [][]file{{{name: "etc/passwd", kind: tar.TypeChar, dev: [2]int64{1, 3}}}}, 0},
		{"a pipe", [][]file{{{name: "etc/passwd", kind: tar.TypeFifo}}}, 0},
		{"nothing", [][]file{{{name: "bin/sh", data: "x"}}}, 0},
	} {
		var layers []v1.Layer
		for _, files := range tt.layers {
			layers = append(layers, layerOf(t, pack(t, files...), compression.GZip))
		}
		i := mustPull(t, l, "t", h.push(t, fmt.Sprintf("user%d:1", n), build(t, "amd64", v1.Config{}, layers...)))
		got, err := i.User("app")
		if got.UID != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("%s: got %d, %v; want %d", tt.name, got.UID, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "666") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got, err := i.User("12:34"); err != nil && tt.name != "a loop" || err == nil && (got.UID != 12 || got.GID != 34) {
			t.Errorf("%s: numbers: %+v %v", tt.name, got, err)
		}
	}
}

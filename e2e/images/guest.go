package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const (
	accounts = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
	groups   = "root:x:0:\napp:x:1000:\nextra:x:2000:app\nnogroup:x:65534:\n"
)

// foreign is an architecture this machine is not of.
func foreign() string {
	if runtime.GOARCH == "amd64" {
		return "arm64"
	}
	return "amd64"
}

// Program builds a static program of a module of this repository, without cgo, with
// more flags of the linker.
func Program(dir, pkg, arch string, linker ...string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "neargate-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	bin := filepath.Join(tmp, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags="+strings.Join(append([]string{"-s -w -buildid="}, linker...), " "), "-buildvcs=false", "-o", bin, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return os.ReadFile(bin)
}

// Guest are the images of the stories' own program in package guest, which lies
// in the directory e2e:
//
//	latest   an index of two architectures, several layers, a removed file and
//	         a replaced folder; ENTRYPOINT /guest, CMD serve :80
//	command  no ENTRYPOINT, a CMD
//	user     USER app, WORKDIR, ENV
//	volume   VOLUME /data, with content
//	quit     STOPSIGNAL SIGQUIT
//	empty    nothing to run
//	foreign  one image for an architecture that is not this machine's
//	abroad   an index with only such an image
func Guest(e2e string) ([]Recipe, error) {
	programs, sums := map[string][]byte{}, ""
	for _, arch := range []string{runtime.GOARCH, foreign()} {
		b, err := Program(e2e, "./guest", arch)
		if err != nil {
			return nil, err
		}
		programs[arch] = b
		sums += fingerprint(string(b))
	}
	recipe := func(tag string, arch string, c v1.Config) Recipe {
		return Recipe{Names: []string{"neargate/guest:" + tag}, From: fingerprint("3", sums, tag),
			Make: func() (mutate.Appendable, error) { return assemble(arch, c, guestLayers(programs[arch])...) }}
	}
	index := func(tag string, archs ...string) Recipe {
		return Recipe{Names: []string{"neargate/guest:" + tag}, From: fingerprint("3", sums, tag),
			Make: func() (mutate.Appendable, error) { return guestIndex(programs, archs) }}
	}
	entry := []string{"/guest"}
	return []Recipe{
		index("latest", foreign(), runtime.GOARCH),
		recipe("command", runtime.GOARCH, v1.Config{Cmd: []string{"/guest", "print", "from the image's command"}}),
		recipe("user", runtime.GOARCH, v1.Config{Entrypoint: entry, Cmd: []string{"facts"}, User: "app", WorkingDir: "/home/app",
			Env: []string{"PATH=" + defaultPath, "FROM=image", "KEPT=image"}}),
		recipe("volume", runtime.GOARCH, v1.Config{Entrypoint: entry, Cmd: []string{"list", "/data"}, Volumes: map[string]struct{}{"/data": {}}}),
		recipe("quit", runtime.GOARCH, v1.Config{Entrypoint: entry, Cmd: []string{"trap", "0", "TERM", "QUIT"}, StopSignal: "SIGQUIT"}),
		recipe("empty", runtime.GOARCH, v1.Config{}),
		recipe("foreign", foreign(), v1.Config{Entrypoint: entry, Cmd: []string{"facts"}}),
		index("abroad", foreign()),
	}, nil
}

func guestIndex(programs map[string][]byte, archs []string) (v1.ImageIndex, error) {
	var index v1.ImageIndex = empty.Index
	for _, arch := range archs {
		image, err := assemble(arch, v1.Config{Entrypoint: []string{"/guest"}, Cmd: []string{"serve", ":80"}}, guestLayers(programs[arch])...)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	return index, nil
}

// guestLayers are a system without a shell, the program, and a layer that changes
// what lies below.
func guestLayers(program []byte) []*tree {
	system, binary, changes := newTree(), newTree(), newTree()
	for _, d := range []string{"bin", "dev", "etc", "home", "old", "proc", "root", "sys", "data"} {
		system.dir(d, 0o755)
	}
	system.dir("tmp", 0o1777)
	system.owned("home/app", 0o755, 1000)
	system.file("etc/passwd", 0o644, accounts)
	system.file("etc/group", 0o644, groups)
	system.file("data/greeting", 0o640, "from the image\n")
	system.file("old/removed", 0o644, "an upper layer removes this\n")
	system.file("etc/removed", 0o644, "an upper layer removes this\n")
	binary.file("guest", 0o755, string(program))
	binary.link("bin/guest", "/guest")
	changes.file("etc/.wh.removed", 0o644, "")
	changes.dir("old", 0o755)
	changes.file("old/.wh..wh..opq", 0o644, "")
	changes.file("old/kept", 0o644, "of the upper layer\n")
	return []*tree{system, binary, changes}
}

// fingerprint is a short hash of texts.
func fingerprint(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Root is the directory e2e of this repository, from a working directory in it.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "neargate/e2e").Output()
	if err != nil {
		return "", errors.New("the images are made from a working directory in the module neargate/e2e")
	}
	return string(out[:len(out)-1]), nil
}

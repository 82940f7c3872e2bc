package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// debian gets packages through apt, as if nothing were installed.
type debian struct{ dir string } // where they are downloaded to

// download returns the files of the packages and all they depend on.
func (d debian) download(packages ...string) ([]string, error) {
	status := filepath.Join(d.dir, "status")
	if err := errors.Join(os.MkdirAll(filepath.Join(d.dir, "partial"), 0o755), os.WriteFile(status, nil, 0o644)); err != nil {
		return nil, err
	}
	apt := func(args ...string) ([]byte, error) {
		var out, errs bytes.Buffer
		cmd := exec.Command("apt-get", append([]string{"-q", "-y", "-o", "Dir::State::status=" + status,
			"-o", "Dir::Cache::archives=" + d.dir, "-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=root"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, errs.String())
		}
		return out.Bytes(), nil
	}
	install := append([]string{"install", "--download-only"}, packages...)
	if _, err := apt(install...); err != nil {
		// The lists may be missing, or older than what the servers have.
		if _, e := exec.Command("apt-get", "-q", "update").CombinedOutput(); e != nil {
			return nil, err
		}
		if _, err := apt(install...); err != nil {
			return nil, err
		}
	}
	out, err := apt(append([]string{"install", "--simulate"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line) // Inst NAME (VERSION ...
		if len(f) < 3 || f[0] != "Inst" {
			continue
		}
		version := strings.ReplaceAll(strings.TrimPrefix(f[2], "("), ":", "%3a")
		found, err := filepath.Glob(filepath.Join(d.dir, f[1]+"_"+version+"_*.deb"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("%s %s was not downloaded: %v %v", f[1], version, found, err)
		}
		files = append(files, found[0])
	}
	return files, nil
}

// needless are folders no container of a story looks into.
var needless = []string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/", "usr/share/bug/", "usr/share/perl/"}

// unpack adds the files of packages to t. They find their places as on a Debian
// with merged /usr.
func (d debian) unpack(t *tree, files ...string) error {
	for _, f := range files {
		cmd := exec.Command("dpkg-deb", "--fsys-tarfile", f)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		err = t.readTar(pipe)
		if _, e := io.Copy(io.Discard, pipe); err == nil {
			err = e
		}
		if err := errors.Join(err, cmd.Wait()); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f), err)
		}
	}
	return nil
}

// readTar adds the entries of a tar stream.
func (t *tree) readTar(r io.Reader) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := merged(h.Name)
		if name == "" || slices.ContainsFunc(needless, func(p string) bool { return strings.HasPrefix(name+"/", p) }) {
			continue
		}
		h.Name = name
		if h.Typeflag == tar.TypeLink {
			h.Linkname = merged(h.Linkname)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			return err
		}
		t.add(*h, content)
	}
}

// merged is a name with bin, sbin and lib under usr, without leading and trailing
// slashes.
func merged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	top, rest, inside := strings.Cut(name, "/")
	switch top {
	case "bin", "sbin", "lib", "lib64":
		if !inside {
			return "" // a link in the merged tree
		}
		return "usr/" + top + "/" + rest
	}
	return name
}

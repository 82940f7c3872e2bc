package images

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// What the httpd image is made of: Debian's packages, without those that only
// modules nobody loads depend on.
var (
	httpdBase     = []string{"base-files", "base-passwd", "coreutils", "dash", "libc-bin", "media-types"}
	httpdPackages = append([]string{"apache2-bin"}, httpdBase...)
	httpdWithout  = []string{"perl", "perl-base", "perl-modules-5.36", "libperl5.36", "libicu72", "dpkg"}
)

//go:embed httpd.conf
var httpdConf string

const httpdForeground = `#!/bin/sh
set -e
rm -f /usr/local/apache2/logs/httpd.pid
exec httpd -DFOREGROUND "$@"
`

// Httpd is Apache's HTTP server laid out as its official image is, for this
// machine's architecture.
func Httpd() Recipe {
	return Recipe{
		Names: []string{"docker/library/httpd:latest", "docker/library/httpd:2.4", "docker/library/httpd:2.4-alpine", "library/httpd:latest"},
		From:  fingerprint("1", fmt.Sprint(httpdPackages, httpdWithout), httpdConf, httpdForeground, runtime.GOARCH),
		Make:  func() (mutate.Appendable, error) { return makeHttpd() },
	}
}

func makeHttpd() (v1.Image, error) {
	var base, apache, conf = newTree(), newTree(), newTree()
	err := withDebian(func(d debian) error {
		all, err := d.download(httpdPackages...)
		if err != nil {
			return err
		}
		system, err := d.download(httpdBase...)
		if err != nil {
			return err
		}
		unwanted := func(f string) bool {
			name, _, _ := strings.Cut(filepath.Base(f), "_")
			return slices.Contains(httpdWithout, name)
		}
		own := slices.DeleteFunc(all, func(f string) bool { return unwanted(f) || slices.Contains(system, f) })
		if err := d.unpack(base, slices.DeleteFunc(system, unwanted)...); err != nil {
			return err
		}
		return d.unpack(apache, own...)
	})
	if err != nil {
		return nil, err
	}
	finishDebian(base)
	for _, d := range []string{"usr/local/apache2", "usr/local/apache2/bin", "usr/local/apache2/cgi-bin", "usr/local/apache2/conf", "usr/local/apache2/htdocs"} {
		conf.dir(d, 0o755)
	}
	conf.owned("usr/local/apache2/logs", 0o755, 33)
	conf.file("usr/local/apache2/conf/httpd.conf", 0o644, httpdConf)
	conf.file("usr/local/apache2/conf/mime.types", 0o644, base.content("etc/mime.types"))
	conf.file("usr/local/apache2/htdocs/index.html", 0o644, "<html><body><h1>It works!</h1></body></html>\n")
	conf.file("usr/local/bin/httpd-foreground", 0o755, httpdForeground)
	conf.link("usr/local/apache2/bin/httpd", "/usr/sbin/apache2")
	conf.link("usr/local/apache2/modules", "/usr/lib/apache2/modules")
	conf.dir("etc/apache2", 0o755)
	conf.link("etc/apache2/apache2.conf", "/usr/local/apache2/conf/httpd.conf")
	return assemble(runtime.GOARCH, v1.Config{
		Env:          []string{"PATH=/usr/local/apache2/bin:" + defaultPath, "HTTPD_PREFIX=/usr/local/apache2"},
		Cmd:          []string{"httpd-foreground"},
		WorkingDir:   "/usr/local/apache2",
		StopSignal:   "SIGWINCH",
		ExposedPorts: map[string]struct{}{"80/tcp": {}},
	}, base, apache, conf)
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// finishDebian does what the packages' scripts would.
func finishDebian(t *tree) {
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		t.dir("usr/"+d, 0o755)
		t.link(d, "usr/"+d)
	}
	for _, d := range []string{"dev", "proc", "sys", "run", "root", "var", "var/log"} {
		t.dir(d, 0o755)
	}
	for _, d := range []string{"tmp", "var/tmp"} {
		t.dir(d, 0o1777)
	}
	t.link("usr/bin/sh", "dash")
	t.link("var/run", "/run")
	t.file("etc/passwd", 0o644, t.content("usr/share/base-passwd/passwd.master"))
	t.file("etc/group", 0o644, t.content("usr/share/base-passwd/group.master"))
	t.file("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n")
}

// Busybox is a shell and the usual tools in one static program.
func Busybox() Recipe {
	return Recipe{
		Names: []string{"docker/library/busybox:latest", "library/busybox:latest"},
		From:  fingerprint("1", runtime.GOARCH),
		Make: func() (mutate.Appendable, error) {
			t, err := busybox()
			if err != nil {
				return nil, err
			}
			return assemble(runtime.GOARCH, v1.Config{Env: []string{"PATH=" + defaultPath}, Cmd: []string{"sh"}}, t)
		},
	}
}

func busybox() (*tree, error) {
	t := newTree()
	err := withDebian(func(d debian) error {
		files, err := d.download("busybox-static")
		if err != nil {
			return err
		}
		if err := d.unpack(t, files...); err != nil {
			return err
		}
		list, err := os.CreateTemp(d.dir, "busybox")
		if err != nil {
			return err
		}
		defer list.Close()
		if _, err := list.WriteString(t.content("usr/bin/busybox")); err != nil {
			return err
		}
		if err := list.Chmod(0o700); err != nil {
			return err
		}
		if err := list.Close(); err != nil {
			return err
		}
		applets, err := exec.Command(list.Name(), "--list").Output()
		if err != nil {
			return err
		}
		for name := range strings.FieldsSeq(string(applets)) {
			if name != "busybox" {
				t.link("usr/bin/"+name, "busybox")
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sh := t.entries["usr/bin/sh"]
	finishDebian(t)
	t.entries["usr/bin/sh"] = sh
	t.file("etc/passwd", 0o644, accounts)
	t.file("etc/group", 0o644, groups)
	return t, nil
}

// withDebian lends a folder for packages.
func withDebian(use func(debian) error) error {
	dir, err := os.MkdirTemp("", "neargate-debs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return use(debian{dir})
}

// assemble makes an image of layers, the lowest first.
func assemble(arch string, c v1.Config, layers ...*tree) (v1.Image, error) {
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Architecture: arch, OS: "linux", Config: c, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, err
	}
	for _, t := range layers {
		l, err := t.layer()
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, l); err != nil {
			return nil, err
		}
	}
	return image, nil
}

package bundle

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	erofsfs "gvisor.dev/gvisor/pkg/erofs"

	"neargate/shim/api"
)

func TestPause(t *testing.T) {
	dir := t.TempDir()
	if err := PauseRoot(dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "pause"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := cmd.Process.Signal(syscall.SIGCHLD); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-ended
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGTERM {
		t.Errorf("it ended by itself: %v", cmd.ProcessState)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, codes := range pausePrograms {
			if b, err := executable(arch, codes); err != nil || len(b) > 256 {
				t.Errorf("%s: %d bytes, %v", arch, len(b), err)
			}
		}
	}
	if _, err := executable("mips", pauseCode); err == nil {
		t.Error("a pause for a machine it has no code for")
	}
}

// TestHostname sets hostnames on a thread with a UTS namespace of its own.
func TestHostname(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a UTS namespace needs root")
	}
	dir := t.TempDir()
	if err := PauseRoot(dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		code int
	}{
		{"ip-10-0-0-1.ec2.internal", 0},
		{"a", 0},
		{strings.Repeat("x", 65), int(syscall.EINVAL)},
	} {
		got := make(chan string)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			if err := syscall.Unshare(syscall.CLONE_NEWUTS); err != nil {
				t.Error(err)
			}
			err := exec.Command(dir+HostnamePath, c.name).Run()
			if x, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || x.ExitCode() != c.code) || err == nil && c.code != 0 {
				t.Errorf("%q: %v, want code %d", c.name, err, c.code)
			}
			var u syscall.Utsname
			if err := syscall.Uname(&u); err != nil {
				t.Error(err)
			}
			var name []byte
			for _, b := range u.Nodename {
				if b == 0 {
					break
				}
				name = append(name, byte(b))
			}
			got <- string(name)
		}()
		if is := <-got; (is == c.name) != (c.code == 0) {
			t.Errorf("hostname %q after %q", is, c.name)
		}
	}
}

func TestUmount(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	dir := t.TempDir()
	b, err := UmountProgram()
	if err != nil {
		t.Fatal(err)
	}
	proc, program := filepath.Join(dir, "proc"), filepath.Join(dir, "program")
	if err := errors.Join(os.Mkdir(proc, 0o755), os.WriteFile(program, b, 0o755)); err != nil {
		t.Fatal(err)
	}
	run := func(say string) int {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd := exec.Command("/program")
		cmd.ExtraFiles, cmd.SysProcAttr = []*os.File{r}, &syscall.SysProcAttr{Chroot: dir}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.WriteString(say)
		w.Close()
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
	if err := syscall.Mount("none", proc, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(proc, syscall.MNT_DETACH) })
	for _, c := range []struct {
		say  string
		code int
	}{{"", 1}, {"x", 0}, {"x", int(syscall.EINVAL)}} { // no byte; /proc is mounted; it is not
		if code := run(c.say); code != c.code {
			t.Errorf("told %q: exit code %d, want %d", c.say, code, c.code)
		}
	}
	if b, err := executable("arm64", umountCode); err != nil || len(b) > 256 {
		t.Errorf("arm64: %d bytes, %v", len(b), err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := PauseRoot(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, text string
		code       int
	}{{file, "20000 30000", 0}, {filepath.Join(dir, "absent"), "x", int(syscall.ENOENT)}, {"/dev/full", "x", int(syscall.ENOSPC)}} {
		cmd := exec.Command(filepath.Join(dir, WritePath), c.file, c.text)
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.file, code, c.code)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "20000 30000" {
		t.Errorf("wrote %q, %v", b, err)
	}
	if b, err := executable("arm64", writeCode); err != nil || len(b) > 256 {
		t.Errorf("arm64: %d bytes, %v", len(b), err)
	}
}

func TestCapabilities(t *testing.T) {
	all := len(defaultCaps)
	for _, c := range []struct {
		add, drop []string
		uid       uint32
		bounding  int
		effective int
	}{
		{nil, nil, 0, all, all},
		{nil, nil, 1000, all, 0},
		{[]string{"CAP_SYS_PTRACE"}, nil, 0, all + 1, all + 1},
		{[]string{"CAP_CHOWN"}, nil, 0, all, all},
		{nil, []string{"CAP_CHOWN", "CAP_KILL"}, 0, all - 2, all - 2},
		{[]string{"CAP_SYS_PTRACE"}, []string{"ALL"}, 0, 1, 1},
	} {
		p := Process(api.Container{CapAdd: c.add, CapDrop: c.drop, User: api.User{UID: c.uid}}, Options{})
		if b, e := len(p.Capabilities.Bounding), len(p.Capabilities.Effective); b != c.bounding || e != c.effective {
			t.Errorf("%+v: %d bounding, %d effective", c, b, e)
		}
	}
}

func TestCopyContent(t *testing.T) {
	root, to, outside := t.TempDir(), t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "data", "sub"), 0o750),
		os.WriteFile(filepath.Join(root, "data", "sub", "f"), []byte("text"), 0o640),
		os.Symlink("/etc/passwd", filepath.Join(root, "data", "link")),
		os.Symlink(outside, filepath.Join(root, "escape")),
		os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := CopyContent(root, "/data", to); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "sub", "f")); string(b) != "text" {
		t.Errorf("copied %q, %v", b, err)
	}
	if info, err := os.Stat(filepath.Join(to, "sub")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("directory: %v, %v", info, err)
	}
	if target, _ := os.Readlink(filepath.Join(to, "link")); target != "/etc/passwd" {
		t.Errorf("link to %q", target)
	}
	if err := CopyContent(root, "/absent", to); err != nil {
		t.Error(err)
	}
	if err := CopyContent(root, "/escape", to); err == nil {
		t.Error("a link led out of the root file system")
	}
}

// TestPauseImage reads the image with the package that gVisor reads it with.
func TestPauseImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image")
	if err := PauseImage(file); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	image, err := erofsfs.OpenImage(f)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	found := map[string]uint16{}
	read := func(nid uint64) erofsfs.Inode {
		n, err := image.Inode(nid)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	root := read(image.RootNid())
	err = root.IterDirents(func(name string, kind uint8, nid uint64) error {
		n := read(nid)
		found[name] = n.Mode()
		if want, err := executable(runtime.GOARCH, pausePrograms["/"+name]); err == nil {
			at, err := n.DataOffset()
			if err != nil {
				return err
			}
			if got, err := image.BytesAt(at, n.Size()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("/%s has %d bytes, want %d; %v", name, len(got), len(want), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint16{".": modeDir, "..": modeDir, "dev": modeDir, "proc": modeDir, "sys": modeDir, "tmp": modeDir, "pause": modeFile, "hostname": modeFile, "write": modeFile}
	if !maps.Equal(found, want) || root.Nlink() != 6 {
		t.Errorf("the image has %v; the root %d links", found, root.Nlink())
	}
	mounted(t, file)
}

// mounted checks that the host's kernel reads the image, too, where it can.
func mounted(t *testing.T, file string) {
	if b, _ := os.ReadFile("/proc/filesystems"); os.Getuid() != 0 || !bytes.Contains(b, []byte("\terofs\n")) {
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "erofs", "-o", "ro,loop", file, dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	want, err := executable(runtime.GOARCH, pauseCode)
	if got, rerr := os.ReadFile(filepath.Join(dir, "pause")); err != nil || rerr != nil || !bytes.Equal(got, want) {
		t.Errorf("/pause has %d bytes, want %d; %v", len(got), len(want), rerr)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 7 {
		t.Errorf("the root has %v, %v", entries, err)
	}
}

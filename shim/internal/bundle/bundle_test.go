package bundle

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

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
		if b, err := executable(arch, pauseCode); err != nil || len(b) > 256 {
			t.Errorf("%s: %d bytes, %v", arch, len(b), err)
		}
	}
	if _, err := executable("mips", pauseCode); err == nil {
		t.Error("a pause for a machine it has no code for")
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

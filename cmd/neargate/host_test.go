package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neargate/internal/install"
)

// TestExamine starts nothing on a host that cannot run tasks, but the fake runtime
// anywhere.
func TestExamine(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // in which no mkfs.ext4 is
	for kind, want := range map[string][]string{
		runtimeFake:   nil,
		runtimeGVisor: {"mkfs.ext4", "apt install e2fsprogs", "not beside neargate: neargate-runsc, neargate-init"},
		runtimeRunc:   {"mkfs.ext4", "not beside neargate: neargate-shim, neargate-init, runc"},
		"docker":      {`gvisor, runc or fake, not "docker"`},
	} {
		err := options{dir: install.Dir(t.TempDir()), listen: "127.0.0.1:0", host: hostOptions{runtime: kind}}.examine()
		if (err == nil) != (want == nil) {
			t.Errorf("%s: %v", kind, err)
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not tell %q", kind, err, w)
			}
		}
	}
}

// TestNothingMade checks that a start that fails early makes no data directory.
func TestNothingMade(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := filepath.Join(t.TempDir(), "data")
	for _, detach := range []string{"-d=false", "-d"} {
		var out, errs strings.Builder
		if code := run(t.Context(), stdio{out: &out, err: &errs}, []string{"up", detach, "--data-dir", dir, "--listen", "127.0.0.1:0"}); code != 1 || !strings.HasPrefix(errs.String(), "neargate up: this host lacks") {
			t.Errorf("exit status %d: %s", code, errs.String())
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the data directory: %v", err)
		}
	}
}

// TestDownOfNothing stops what was never there.
func TestDownOfNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	var out, errs strings.Builder
	if code := run(t.Context(), stdio{out: &out, err: &errs}, []string{"down", "--data-dir", dir}); code != 0 || out.String() != "neargate is not running\n" {
		t.Errorf("exit status %d: %s%s", code, out.String(), errs.String())
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory: %v", err)
	}
}

func TestHostFlags(t *testing.T) {
	if _, err := (hostOptions{uplinks: "lo,absent0"}).devices(); err == nil || !strings.Contains(err.Error(), `no device "absent0"`) {
		t.Errorf("an uplink that is not there: %v", err)
	}
	if names, err := (hostOptions{uplinks: "lo"}).devices(); err != nil || len(names) != 1 {
		t.Errorf("uplinks %q, %v", names, err)
	}
	dir := install.Dir(t.TempDir())
	for pool, ok := range map[string]bool{"198.18.0.0/23": true, "198.18.0.0/24": false, "10.0.0.0/16": false, "198.18.1.0/20": false, "x": false} {
		if p, err := (hostOptions{runtime: runtimeFake, pool: pool}).publicPool(dir); (err == nil) != ok {
			t.Errorf("pool %s: %s, %v", pool, p, err)
		}
	}
	if p, err := (hostOptions{runtime: runtimeFake}).publicPool(dir); err != nil || p != netip.MustParsePrefix("198.18.0.0/23") {
		t.Errorf("the pool of the first start: %s, %v", p, err)
	}
}

package install

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestLockAndRun(t *testing.T) {
	d := Dir(t.TempDir())
	if _, err := d.Running(); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("fresh directory: %v", err)
	}
	release, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.Is(err, ErrRunning) {
		t.Fatalf("second lock: %v", err)
	}
	want := Run{PID: 7, Started: time.Unix(1, 0).UTC(), Address: "127.0.0.1:4566", Version: "v1"}
	if err := d.SaveRun(want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Running(); err != nil || got != want {
		t.Fatalf("Running = %+v, %v", got, err)
	}
	release()
	if _, err := d.Running(); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("after a crash that left run.json: %v", err)
	}
}

func TestSecretsAreKeptAndPrivate(t *testing.T) {
	d := Dir(t.TempDir())
	a, err := d.Secret("tokens")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := d.Secret("tokens"); a != b {
		t.Error("the secret changed")
	}
	if b, _ := d.Secret("other"); a == b {
		t.Error("two secrets are equal")
	}
	if err := d.SaveRoot(Credentials{"123456789012", "AKIAEXAMPLE", "secret"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokens.key", "root.json"} {
		if fi, err := os.Stat(d.path(name)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, fi.Mode(), err)
		}
	}
	if err := os.WriteFile(d.path("tokens.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Secret("tokens"); err == nil {
		t.Error("a damaged secret was accepted")
	}
}

package profile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSaveKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	f := Files{filepath.Join(dir, "aws", "config"), filepath.Join(dir, "aws", "credentials")}
	if err := os.MkdirAll(filepath.Join(dir, "aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	mine := "[default]\nregion = eu-west-1\n\n# my note\n[profile work]\nregion = us-west-2"
	if err := os.WriteFile(f.Config, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"http://127.0.0.1:4566", "http://127.0.0.1:4567"} {
		if err := f.Save("neargate", []Setting{{"endpoint_url", url}}, []Setting{{"aws_access_key_id", "AKIA"}}); err != nil {
			t.Fatal(err)
		}
		want := mine + "\n[profile neargate]\n# kept by neargate\nendpoint_url = " + url + "\n"
		if got := read(t, f.Config); got != want {
			t.Errorf("config:\n%s\nwant:\n%s", got, want)
		}
	}
	if got := read(t, f.Credentials); got != "[neargate]\n# kept by neargate\naws_access_key_id = AKIA\n" {
		t.Errorf("credentials:\n%s", got)
	}
}

func TestForeignProfileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	f := Files{filepath.Join(dir, "config"), filepath.Join(dir, "credentials")}
	theirs := "[neargate]\naws_access_key_id = THEIRS\n"
	if err := os.WriteFile(f.Credentials, []byte(theirs), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Save("neargate", []Setting{{"region", "us-east-1"}}, []Setting{{"aws_access_key_id", "OURS"}}); !errors.Is(err, ErrForeign) {
		t.Fatalf("err = %v", err)
	}
	if got := read(t, f.Credentials); got != theirs {
		t.Errorf("credentials:\n%s", got)
	}
	if _, err := os.Stat(f.Config); err == nil {
		t.Error("a config file appeared")
	}
}

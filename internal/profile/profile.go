// Package profile keeps a named profile in the AWS CLI's configuration files
// without touching anything else in them.
// Source: AWS CLI user guide, "Configuration and credential file settings".
package profile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mark is the comment line that says a section is kept by this package. A
// section without it belongs to the user and is left alone.
const Mark = "# kept by neargate"

// ErrForeign reports that the profile exists and is the user's own.
var ErrForeign = errors.New("profile: exists and was not written by neargate")

// Files are the two configuration files.
type Files struct{ Config, Credentials string }

// Locate returns the files the AWS CLI and SDKs would read.
func Locate(getenv func(string) string) (Files, error) {
	f := Files{getenv("AWS_CONFIG_FILE"), getenv("AWS_SHARED_CREDENTIALS_FILE")}
	if f.Config != "" && f.Credentials != "" {
		return f, nil
	}
	home := getenv("HOME")
	if home == "" {
		return f, errors.New("profile: HOME is not set")
	}
	if f.Config == "" {
		f.Config = filepath.Join(home, ".aws", "config")
	}
	if f.Credentials == "" {
		f.Credentials = filepath.Join(home, ".aws", "credentials")
	}
	return f, nil
}

// Setting is one "name = value" line.
type Setting struct{ Name, Value string }

// Save writes the profile to both files. It returns ErrForeign, having changed
// nothing, when either file has a profile of that name that is not marked.
func (f Files) Save(name string, config, credentials []Setting) error {
	files := []struct {
		path, section string
		settings      []Setting
	}{
		{f.Config, "[profile " + name + "]", config},
		{f.Credentials, "[" + name + "]", credentials},
	}
	var texts [2]string
	for i, file := range files {
		b, err := os.ReadFile(file.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if texts[i], err = replace(string(b), file.section, file.settings); err != nil {
			return err
		}
	}
	for i, file := range files {
		if err := write(file.path, texts[i]); err != nil {
			return err
		}
	}
	return nil
}

// replace returns text with the section replaced or added.
func replace(text, section string, settings []Setting) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	start := slices.IndexFunc(lines, func(l string) bool { return strings.TrimSpace(l) == section })
	if start >= 0 {
		end := start + 1
		for end < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[end]), "[") {
			end++
		}
		if !slices.ContainsFunc(lines[start:end], func(l string) bool { return strings.TrimSpace(l) == Mark }) {
			return "", ErrForeign
		}
		lines = slices.Delete(lines, start, end)
	}
	text = strings.Join(lines, "")
	var b strings.Builder
	b.WriteString(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		b.WriteString("\n")
	}
	b.WriteString(section + "\n" + Mark + "\n")
	for _, s := range settings {
		b.WriteString(s.Name + " = " + s.Value + "\n")
	}
	return b.String(), nil
}

func write(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".neargate-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Package story plays stories: it starts neargates and runs scripts and clients
// against them.
package story

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// Installation is a neargate with a data directory of its own.
type Installation struct {
	Program string // bin/neargate
	Dir     string // its data directory
}

// Run runs the program for the installation and returns what it printed.
func (i Installation) Run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, i.Program, append(args, "--data-dir", i.Dir)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("neargate %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// Up starts the installation on a free port.
func (i Installation) Up(flags ...string) error {
	_, err := i.Run(append([]string{"up", "-d", "--listen", "127.0.0.1:0"}, flags...)...)
	return err
}

// Down stops it.
func (i Installation) Down() error {
	_, err := i.Run("down")
	return err
}

// Env are the environment variables by which clients reach the root user of the
// first account.
func (i Installation) Env() (map[string]string, error) {
	out, err := i.Run("env")
	return exports(out), err
}

// Account makes a new account and returns what its root user's clients need, and
// the account's id as ACCOUNT.
func (i Installation) Account() (map[string]string, error) {
	vars, err := i.Env()
	if err != nil {
		return nil, err
	}
	out, err := i.Run("account", "create")
	if err != nil {
		return nil, err
	}
	for k, v := range exports(out) {
		vars[k] = v
	}
	id := regexp.MustCompile(`account (\d{12})`).FindStringSubmatch(out)
	if id == nil {
		return nil, fmt.Errorf("no account in %q", out)
	}
	vars["ACCOUNT"] = id[1]
	return vars, nil
}

func exports(script string) map[string]string {
	vars := map[string]string{}
	for line := range strings.Lines(script) {
		if k, v, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok && strings.HasPrefix(line, "export ") {
			vars[k] = v
		}
	}
	return vars
}

package story

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Stage is where scripts are played: docs/stories.md describes their language.
type Stage struct {
	Dir    string       // of the scripts
	E2E    string       // the directory e2e, which holds bin and js
	Shared Installation // what scripts use that start none of their own
	Flags  []string     // of every installation that a script starts
	Env    map[string]string

	// Commands are the stage's own, beside those of every story.
	Commands map[string]func(*testscript.TestScript, bool, []string)
	// Conditions are the stage's own.
	Conditions map[string]bool
}

// Run plays every script of the stage, each as a test of its own, in parallel.
func (s Stage) Run(t *testing.T) {
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"call":       call,
		"eventually": s.eventually,
		"keep":       keep,
		"node":       s.node,
		"own":        s.own,
		"fetch":      fetch,
		"guest":      guest,
	}
	maps.Copy(commands, s.Commands)
	testscript.Run(t, testscript.Params{
		Dir:             s.Dir,
		UpdateScripts:   os.Getenv("UPDATE") != "",
		ContinueOnError: os.Getenv("CONTINUE") != "",
		Setup: func(e *testscript.Env) error {
			vars, err := s.Shared.Account()
			if err != nil {
				return err
			}
			return s.provide(e, vars)
		},
		Condition: s.condition,
		Cmds:      commands,
	})
}

// condition decides what stands in brackets: whether a program is installed;
// [js-sdk], a Node.js that the SDK for JavaScript supports; [aws-v2], version 2 of
// the AWS CLI; [terraform-aws],
// Terraform and a folder with its AWS provider.
func (s Stage) condition(name string) (bool, error) {
	if v, ok := s.Conditions[name]; ok {
		return v, nil
	}
	switch name {
	case "js-sdk":
		out, err := exec.Command("node", "-p", "+process.versions.node.split('.')[0] >= 20").Output()
		return err == nil && string(out) == "true\n" && installed("npm"), nil
	case "aws-v2": // which knows logs tail
		out, err := exec.Command("aws", "--version").Output()
		return err == nil && strings.HasPrefix(string(out), "aws-cli/2"), nil
	case "terraform-aws":
		return os.Getenv("NEARGATE_TF_PLUGINS") != "" && installed("terraform"), nil
	}
	return installed(name), nil
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// provide sets the environment of a story.
func (s Stage) provide(e *testscript.Env, vars map[string]string) error {
	for _, m := range []map[string]string{vars, s.Env} {
		for k, v := range m {
			e.Setenv(k, v)
		}
	}
	home := filepath.Join(e.WorkDir, ".home")
	e.Setenv("HOME", home)
	e.Setenv("NEARGATE", s.Shared.Program)
	e.Setenv("SHARED", s.Shared.Dir)
	e.Setenv("AWS_PAGER", "")
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Setenv("AWS_MAX_ATTEMPTS", "1")
	e.Setenv("PATH", filepath.Join(s.E2E, "bin")+":"+filepath.Join(s.E2E, "../bin/clients")+":"+os.Getenv("PATH"))
	for _, k := range []string{"NEARGATE_TF_PLUGINS", "PYENV_VERSION", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"} {
		e.Setenv(k, os.Getenv(k))
	}
	return os.MkdirAll(home, 0o700)
}

// eventually SECONDS REGEXP COMMAND...: runs the command until its standard
// output matches. The command is a program, or call.
func (s Stage) eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: eventually SECONDS REGEXP COMMAND...")
	}
	wait, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	want := regexp.MustCompile("(?m)" + args[1])
	for deadline := time.Now().Add(wait); ; time.Sleep(100 * time.Millisecond) {
		said, err := s.attempt(ts, args[2:])
		if err == nil && want.MatchString(said) {
			fmt.Fprint(ts.Stdout(), said)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not after %v: %v\n%s", wait, err, said)
		}
	}
}

func (s Stage) attempt(ts *testscript.TestScript, command []string) (string, error) {
	switch command[0] {
	case "call":
		_, said := send(ts, command[1:])
		return said, nil
	case "fetch":
		return get(command[1:])
	case "guest":
		return ask(command[1:])
	}
	err := ts.Exec(command[0], command[1:]...)
	return ts.ReadFile("stdout"), err
}

// keep NAME: the last standard output, without surrounding blanks, becomes an
// environment variable.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// own [FLAG...]: the story gets an installation of its own, stopped at its end,
// in place of the shared one. DATA names its data directory.
func (s Stage) own(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: own [FLAG...]")
	}
	i := Installation{s.Shared.Program, ts.MkAbs(".data")}
	ts.Check(i.Up(append(append([]string{}, s.Flags...), args...)...))
	ts.Defer(func() {
		if err := i.Down(); err != nil {
			ts.Logf("%v", err)
		}
	})
	vars, err := i.Env()
	ts.Check(err)
	for k, v := range vars {
		ts.Setenv(k, v)
	}
	ts.Setenv("DATA", i.Dir)
	ts.Setenv("ACCOUNT", "123456789012")
}

// Package e2e drives a real neargate with real clients: the AWS CLI, boto3, the
// SDKs for Go and JavaScript, Terraform. It is a module of its own so that the
// SDKs stay out of the product.
package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// neargate is the binary under test.
var neargate string

// shared is the installation most stories run on, each in an account of its own.
// AWS's rate limits, which have a story of their own, are lifted.
var shared installation

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	// Stories wait more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	bin, err := filepath.Abs("../bin/neargate")
	if err != nil {
		panic(err)
	}
	neargate = bin
	if out, err := exec.Command("make", "-C", "..", "build").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	dir, err := os.MkdirTemp("", "neargate-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	shared = installation{filepath.Join(dir, "data")}
	if err := shared.up("--no-throttle"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.down()
	return m.Run()
}

// installation is a neargate with a data directory of its own.
type installation struct{ dir string }

func (i installation) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, neargate, append(args, "--data-dir", i.dir)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("neargate %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// up starts the installation on a free port.
func (i installation) up(args ...string) error {
	_, err := i.run(append([]string{"up", "-d", "--listen", "127.0.0.1:0"}, args...)...)
	return err
}

func (i installation) down() error {
	_, err := i.run("down")
	return err
}

// env are the environment variables by which clients reach the root user of the
// first account.
func (i installation) env() (map[string]string, error) {
	out, err := i.run("env")
	return exports(out), err
}

// account makes a new account and returns what its root user's clients need.
func (i installation) account() (map[string]string, error) {
	vars, err := i.env()
	if err != nil {
		return nil, err
	}
	out, err := i.run("account", "create")
	if err != nil {
		return nil, err
	}
	for k, v := range exports(out) {
		vars[k] = v
	}
	vars["ACCOUNT"] = regexp.MustCompile(`account (\d{12})`).FindStringSubmatch(out)[1]
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

// TestStories runs every story under testdata/stories. A story is a script whose
// commands are real programs; see docs/stories.md for its own commands.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:             "testdata/stories",
		UpdateScripts:   os.Getenv("UPDATE") != "",
		ContinueOnError: os.Getenv("CONTINUE") != "",
		Deadline:        time.Now().Add(25 * time.Minute),
		Setup: func(e *testscript.Env) error {
			vars, err := shared.account()
			if err != nil {
				return err
			}
			return provide(e, vars)
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"call":       call,
			"eventually": eventually,
			"keep":       keep,
			"node":       node,
			"own":        own,
		},
	})
}

// condition decides what stands in brackets: whether a program is installed;
// [js-sdk], a Node.js that the SDK for JavaScript supports; [terraform-aws],
// Terraform and a folder with its AWS provider.
func condition(name string) (bool, error) {
	switch name {
	case "js-sdk":
		out, err := exec.Command("node", "-p", "+process.versions.node.split('.')[0] >= 20").Output()
		return err == nil && string(out) == "true\n" && installed("npm"), nil
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
func provide(e *testscript.Env, vars map[string]string) error {
	for k, v := range vars {
		e.Setenv(k, v)
	}
	home := filepath.Join(e.WorkDir, ".home")
	e.Setenv("HOME", home)
	e.Setenv("NEARGATE", neargate)
	e.Setenv("SHARED", shared.dir)
	e.Setenv("AWS_PAGER", "")
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Setenv("AWS_MAX_ATTEMPTS", "1")
	e.Setenv("PATH", mustAbs("bin")+":"+os.Getenv("PATH"))
	for _, k := range []string{"NEARGATE_TF_PLUGINS", "PYENV_VERSION", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"} {
		e.Setenv(k, os.Getenv(k))
	}
	return os.MkdirAll(home, 0o700)
}

func mustAbs(p string) string {
	abs, err := filepath.Abs(p)
	if err != nil {
		panic(err)
	}
	return abs
}

// eventually SECONDS REGEXP COMMAND...: runs the command until its standard
// output matches. The command is a program, or call.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: eventually SECONDS REGEXP COMMAND...")
	}
	wait, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	want := regexp.MustCompile("(?m)" + args[1])
	for deadline := time.Now().Add(wait); ; time.Sleep(100 * time.Millisecond) {
		said, err := attempt(ts, args[2:])
		if err == nil && want.MatchString(said) {
			fmt.Fprint(ts.Stdout(), said)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not after %v: %v\n%s", wait, err, said)
		}
	}
}

func attempt(ts *testscript.TestScript, command []string) (string, error) {
	if command[0] == "call" {
		_, said := send(ts, command[1:])
		return said, nil
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
func own(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: own [FLAG...]")
	}
	i := installation{ts.MkAbs(".data")}
	ts.Check(i.up(args...))
	ts.Defer(func() {
		if err := i.down(); err != nil {
			ts.Logf("%v", err)
		}
	})
	vars, err := i.env()
	ts.Check(err)
	for k, v := range vars {
		ts.Setenv(k, v)
	}
	ts.Setenv("DATA", i.dir)
	ts.Setenv("ACCOUNT", "123456789012")
}

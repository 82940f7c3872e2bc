// Package e2e drives a real neargate with real clients: the AWS CLI, boto3, the
// SDKs for Go and JavaScript, Terraform. It is a module of its own so that the
// SDKs stay out of the product.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"neargate/e2e/story"
)

// shared is the installation most stories run on, each in an account of its own.
// AWS's rate limits, which have a story of their own, are lifted.
var shared story.Installation

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
	if out, err := exec.Command("make", "-C", "..", "build").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	dir, err := os.MkdirTemp("", "neargate-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	shared = story.Installation{Program: bin, Dir: filepath.Join(dir, "data")}
	if err := shared.Up("--runtime", "fake", "--no-throttle"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.Down()
	return m.Run()
}

// TestStories runs every story under testdata/stories. A story is a script whose
// commands are real programs; see docs/stories.md for its own commands.
func TestStories(t *testing.T) {
	e2e, err := filepath.Abs(".")
	check(t, err)
	story.Stage{Dir: "testdata/stories", E2E: e2e, Shared: shared, Flags: []string{"--runtime", "fake"}}.Run(t)
}

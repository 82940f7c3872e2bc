// Command leakcheck shows what a run of something leaves on the machine.
//
//	leakcheck COMMAND...     runs it, and fails if something new is there afterwards
//	leakcheck WORD...        with -list: what now names one of the words
//
// Without words everything counts, also what other programs did meanwhile; -word
// limits it to objects whose description contains one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"neargate/e2e/leak"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "leakcheck:", err)
		os.Exit(1)
	}
}

func run() error {
	list := flag.Bool("list", false, "list what there is instead of running something")
	words := flag.String("word", "", "comma-separated `WORDS` of what counts, as neargate,runsc")
	dirs := flag.String("dir", "", "comma-separated `FOLDERS` whose files count")
	wait := flag.Duration("wait", 10*time.Second, "how `LONG` things may take to go")
	flag.Parse()
	split := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
	scope := leak.Scope{Words: split(*words), Dirs: split(*dirs)}
	if *list {
		scope.Words = append(scope.Words, flag.Args()...)
		all, err := leak.Take(scope)
		for _, k := range slices.Sorted(maps.Keys(all)) {
			fmt.Println(all[k])
		}
		return err
	}
	if flag.NArg() == 0 {
		return errors.New("run what?")
	}
	before, err := leak.Take(scope)
	if err != nil {
		return err
	}
	cmd := exec.Command(flag.Arg(0), flag.Args()[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	failed := cmd.Run()
	left, err := leak.Left(scope, before, *wait)
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("left behind:\n\t%s", strings.Join(left, "\n\t")))
	}
	return errors.Join(failed, err)
}

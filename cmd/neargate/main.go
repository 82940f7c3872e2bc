// Command neargate is Fargate you run yourself: the Amazon ECS API and what it
// needs, served on one port by one daemon.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// command is one subcommand.
type command struct {
	name, args, help string
	run              func(ctx context.Context, io stdio, args []string) error
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// errUsage reports that the command line was wrong and the user has been told.
var errUsage = errors.New("usage")

func commands() []command {
	return []command{
		{"up", "[flags]", "start neargate", up},
		{"down", "[flags]", "stop it", down},
		{"env", "[flags]", "print shell exports for the AWS CLI and SDKs", env},
		{"account", "create|list|key [flags]", "manage accounts and their root keys", account},
		{"backup", "[flags] FILE", "save the state of a running neargate", saveState},
		{"restore", "[flags] FILE", "replace the state of a running neargate", restore},
		{"doctor", "[flags]", "say what this host lacks and how to mend it", doctorCommand},
		{"estimate", "[flags]", "say what tasks cost, before they run", estimateCommand},
		{"bill", "[export] [flags]", "say what tasks have cost, and cost so far", billCommand},
		{"path", "[flags] SOURCE DESTINATION:PORT", "say why traffic passes between two places, or does not", pathCommand},
		{"version", "", "print the version", printVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes a command line and returns the exit status: 0 done, 1 failed, 2
// not understood.
func run(ctx context.Context, std stdio, args []string) int {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name != args[0] {
				continue
			}
			err := c.run(ctx, std, args[1:])
			switch {
			case err == nil, errors.Is(err, flag.ErrHelp):
				return 0
			case errors.Is(err, errUsage):
				return 2
			case errors.Is(err, errUnreachable):
				return 1
			}
			fmt.Fprintf(std.err, "neargate %s: %v\n", c.name, err)
			return 1
		}
	}
	fmt.Fprintln(std.err, "neargate is Fargate you run yourself.\n\nusage: neargate COMMAND [flags]")
	for _, c := range commands() {
		fmt.Fprintf(std.err, "  %-9s %s\n", c.name, c.help)
	}
	fmt.Fprintln(std.err, "\nneargate COMMAND -h lists a command's flags.")
	if len(args) == 1 && (args[0] == "help" || args[0] == "-h" || args[0] == "--help") {
		return 0
	}
	return 2
}

// flags starts the flag set of a command, with the flag every command has.
func flags(std stdio, name string) (*flag.FlagSet, *string) {
	fs := flag.NewFlagSet("neargate "+name, flag.ContinueOnError)
	fs.SetOutput(std.err)
	return fs, fs.String("data-dir", defaultDataDir(), "`DIR` that holds the installation; several can run side by side")
}

// parse reads args and checks how many operands are left.
func parse(fs *flag.FlagSet, args []string, operands int) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if fs.NArg() != operands {
		fmt.Fprintf(fs.Output(), "%s: %d operands wanted, %d given\n", fs.Name(), operands, fs.NArg())
		fs.Usage()
		return errUsage
	}
	return nil
}

// Command raw is gVisor's runsc, with the seccomp filters compiled in advance as its
// releases have them, and nothing of neargate's: benchmarks measure sandboxes beside it.
package main

import (
	"fmt"
	"os"

	"gvisor.dev/gvisor/runsc/cli/maincli"

	"neargate/shim/internal/filters"
)

func main() {
	if err := filters.Register(); err != nil {
		fmt.Fprintln(os.Stderr, "raw:", err)
		os.Exit(1)
	}
	maincli.Main()
}

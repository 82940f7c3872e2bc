package sentry

import (
	"context"

	"github.com/google/subcommands"
	"gvisor.dev/gvisor/pkg/sentry/seccheck"
	"gvisor.dev/gvisor/runsc/cmd/sentry/sentrycmd"
	"gvisor.dev/gvisor/runsc/flag"

	"neargate/shim/internal/garbage"
)

// percent is when a sandbox collects garbage, as gVisor has it.
const percent = 100

// Boot is gVisor's command that is a sandbox, for which a task waits.
type Boot struct{ sentrycmd.Boot }

// Execute implements subcommands.Command.
func (b *Boot) Execute(ctx context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	garbage.Defer(percent)
	go seccheck.Initialize() // takes long, and depends on nothing
	if said(f, "apply-caps") == "true" && said(f, "sync-userns-fd") == "-1" {
		umounter() // it does not execute itself anew
	}
	return b.Boot.Execute(ctx, f, args...)
}

// said is the value of a flag; "" if there is none of the name.
func said(f *flag.FlagSet, name string) string {
	if x := f.Lookup(name); x != nil {
		return x.Value.String()
	}
	return ""
}

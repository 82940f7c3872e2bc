// Package filters has gVisor's seccomp filters, of the sandbox and of its gofers,
// compiled in advance. gVisor has a place for such, which is empty where it is built as
// a Go module, and compiles them in each process otherwise, which a gofer's start waits
// for. A filter is looked up by all that it depends on; one that is not here is
// compiled.
package filters

import (
	"encoding/json"
	"fmt"
	_ "unsafe" // for go:linkname

	"gvisor.dev/gvisor/pkg/seccomp/precompiledseccomp"
	"gvisor.dev/gvisor/pkg/sentry/platform"
	sentry "gvisor.dev/gvisor/runsc/boot/filter"
	gofer "gvisor.dev/gvisor/runsc/fsgofer/filter"
)

//go:generate go run ./generate

// systrap is the platform of the sandboxes that neargate starts.
const systrap = "systrap"

// Sentry is the configuration of the sandboxes that neargate starts.
func Sentry() (sentry.Options, error) {
	c, err := platform.Lookup(systrap)
	if err != nil {
		return sentry.Options{}, err
	}
	return sentry.Options{Platform: c.PrecompiledSeccompInfo()[0], HostFilesystem: true}, nil
}

// Gofers are the configurations of their gofers.
func Gofers() []gofer.Options {
	return []gofer.Options{{DirectFS: true}, {DirectFS: true, LisafsNeeded: true}}
}

// Compiled are filters, as the generator writes them.
type Compiled struct{ Sentry, Gofer []precompiledseccomp.Program }

// sentryPrograms and goferPrograms are gVisor's places. It fills them, with nothing, at
// the first look.
//
//go:linkname sentryPrograms gvisor.dev/gvisor/runsc/boot/filter.precompiledPrograms
var sentryPrograms map[string]precompiledseccomp.Program

//go:linkname goferPrograms gvisor.dev/gvisor/runsc/fsgofer/filter.precompiledPrograms
var goferPrograms map[string]precompiledseccomp.Program

// Register makes the filters known to gVisor. Called once, first in main.
func Register() error {
	var c Compiled
	if len(compiled) == 0 {
		return nil
	}
	if err := json.Unmarshal(compiled, &c); err != nil {
		return fmt.Errorf("filters: %w", err)
	}
	sentry.ListPrecompiled()
	gofer.ListPrecompiled()
	for _, p := range c.Sentry {
		sentryPrograms[p.Name] = p
	}
	for _, p := range c.Gofer {
		goferPrograms[p.Name] = p
	}
	return nil
}

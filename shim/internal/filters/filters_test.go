package filters

import (
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/bpf"
	"gvisor.dev/gvisor/pkg/seccomp"
	_ "gvisor.dev/gvisor/pkg/sentry/platform/platforms"
	sentry "gvisor.dev/gvisor/runsc/boot/filter"
	sentryconfig "gvisor.dev/gvisor/runsc/boot/filter/config"
	gofer "gvisor.dev/gvisor/runsc/fsgofer/filter"
	goferconfig "gvisor.dev/gvisor/runsc/fsgofer/filter/config"
)

// TestFilters compares each filter with what gVisor compiles without it: those of another
// version of gVisor are not what it would have used.
func TestFilters(t *testing.T) {
	if len(compiled) == 0 {
		t.Skip("no filters for this architecture")
	}
	if err := Register(); err != nil {
		t.Fatal(err)
	}
	same := func(name string, got []bpf.Instruction, err error, rules, deny seccomp.SyscallRules, o seccomp.ProgramOptions) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := seccomp.Program{RuleSets: []seccomp.RuleSet{{Rules: deny}, {Rules: rules, Action: seccomp.Allow}}, Options: o}
		want, _, err := p.Build()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: is not what gVisor compiles; run go generate in its package", name)
		}
	}
	for _, o := range Gofers() {
		p, ok := gofer.GetPrecompiled(o.ConfigKey())
		if !ok {
			t.Fatalf("no filter %s; run go generate", o.ConfigKey())
		}
		rules, deny := goferconfig.Rules(o)
		got, err := p.RenderInstructions(o.Vars())
		same(o.ConfigKey(), got, err, rules, deny, seccomp.ProgramOptions{})
	}
	o, err := Sentry()
	if err != nil {
		t.Fatal(err)
	}
	o.ControllerFD = 7
	p, ok := sentry.GetPrecompiled(o.ConfigKey())
	if !ok {
		t.Fatalf("no filter %s; run go generate", o.ConfigKey())
	}
	rules, deny := sentryconfig.Rules(o)
	got, err := p.RenderInstructions(o.Vars())
	same(o.ConfigKey(), got, err, rules, deny, sentryconfig.SeccompOptions(o))
}

// BenchmarkCompile is what a gofer pays without them.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		rules, deny := goferconfig.Rules(Gofers()[0])
		p := seccomp.Program{RuleSets: []seccomp.RuleSet{{Rules: deny}, {Rules: rules, Action: seccomp.Allow}}}
		if _, _, err := p.Build(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRegister is what a process pays for the filters.
func BenchmarkRegister(b *testing.B) {
	for b.Loop() {
		if err := Register(); err != nil {
			b.Fatal(err)
		}
	}
}

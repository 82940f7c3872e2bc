package node

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// terminals: containers have a terminal, an open standard input, both or neither.
func terminals(t *testing.T, c *tenant) {
	group := c.logged(t)
	box := func(name string, interactive, terminal bool, command ...string) types.ContainerDefinition {
		k := guestContainer(name, append(command, "then", "error", "to standard error", "then", "input", "reads")...)
		k.Interactive, k.PseudoTerminal, k.Essential = aws.Bool(interactive), aws.Bool(terminal), aws.Bool(false)
		k.LogConfiguration = c.awslogs(t, group, nil)
		return k
	}
	both := box("both", true, true, "terminal")
	both.LinuxParameters = &types.LinuxParameters{InitProcessEnabled: aws.Bool(true)}
	both.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/guest", "terminal"}, Interval: aws.Int32(5)}
	named := box("named", false, true, "terminal")
	named.Environment = []types.KeyValuePair{{Name: aws.String("TERM"), Value: aws.String("vt100")}}
	arn := c.run(t, definition{ExecutionRoleArn: aws.String(c.role), ContainerDefinitions: []types.ContainerDefinition{
		guestContainer("main", "forever"), both, named, box("open", true, false, "terminal"), box("neither", false, false, "terminal"),
	}})

	x := c.until(t, arn, "without the one that has no input", func(x types.Task) bool {
		return container(t, x, "neither").ExitCode != nil && *x.LastStatus != "PENDING"
	})
	if !exited(t, x, "neither", 0) || *x.LastStatus != "RUNNING" {
		t.Error(told(x))
	}
	terminal := func(term string) []string {
		return []string{"input is a terminal\r", "output is a terminal\r", "error is a terminal\r", "TERM=" + term + "\r", "to standard error\r", "reads\r"}
	}
	none := []string{"input is no terminal", "output is no terminal", "error is no terminal", "TERM=", "to standard error", "reads"}
	sameLines(t, func() []string { return c.events(t, group, "both", arn) }, terminal("xterm"))
	sameLines(t, func() []string { return c.events(t, group, "named", arn) }, terminal("vt100"))
	for name, want := range map[string][]string{"open": none, "neither": append(none, "end of input")} {
		// Two pipes: what goes to the one may come before what went to the other.
		sameLines(t, func() []string { return slices.Sorted(slices.Values(c.events(t, group, name, arn))) }, slices.Sorted(slices.Values(want)))
	}
	x = c.until(t, arn, "healthy", func(x types.Task) bool { return container(t, x, "both").HealthStatus == types.HealthStatusHealthy })
	for _, name := range []string{"both", "named", "open"} {
		if k := container(t, x, name); *k.LastStatus != "RUNNING" {
			t.Errorf("%s: %s", name, told(x))
		}
	}
	x = c.stop(t, arn)
	if !exited(t, x, "both", 143) { // by its init: Go's handler ends it with the signal
		t.Error(told(x))
	}
}

package node

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// members: what the members of a container definition do to one another.
func members(t *testing.T, c *tenant) {
	at := func(path string) []types.MountPoint {
		return []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String(path)}}
	}
	// A user of the image, by name, in a directory that is not there, whose root cannot
	// be written to.
	main := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String("public.ecr.aws/neargate/guest:user"), Command: []string{"serve", ":8080"},
		User: aws.String("app"), WorkingDirectory: aws.String("/made/for/it"), ReadonlyRootFilesystem: aws.Bool(true), MountPoints: at("/tmp/v"),
		Ulimits: []types.Ulimit{{Name: types.UlimitNameCore, SoftLimit: 0, HardLimit: 0}, {Name: types.UlimitNameMemlock, SoftLimit: 4096, HardLimit: 65536}},
	}
	root := guestContainer("root", "append", "/tmp/v/note", "x", "then", "serve", ":81")
	root.MountPoints = at("/tmp/v")
	from := guestContainer("from", "serve", ":82")
	from.VolumesFrom = []types.VolumeFrom{{SourceContainer: aws.String("root"), ReadOnly: aws.Bool(true)}}
	reaper := guestContainer("reaper", "serve", ":8083")
	reaper.LinuxParameters = &types.LinuxParameters{InitProcessEnabled: aws.Bool(true), Capabilities: &types.KernelCapabilities{Drop: []string{"ALL"}}}
	arn := c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(c.define(t, definition{
		Volumes: []types.Volume{{Name: aws.String("v")}}, ContainerDefinitions: []types.ContainerDefinition{main, root, from, reaper}})),
		Overrides: &types.TaskOverride{EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 25},
			ContainerOverrides: []types.ContainerOverride{{Name: aws.String("root"), Memory: aws.Int32(100), MemoryReservation: aws.Int32(50), Cpu: aws.Int32(64)}}}})
	x := c.running(t, arn)
	_, public := c.addresses(t, x)
	for _, port := range []string{":8080", ":81", ":82", ":8083"} {
		answers(t, public+port)
	}
	f := factsOf(t, ask(t, public+":8080", "facts"))
	if f.UID != 1000 || f.Cwd != "/made/for/it" || f.RootWritable || f.Capabilities != "0000000000000000" {
		t.Errorf("%+v", f)
	}
	if f.Limits["core"] != [2]uint64{0, 0} || f.Limits["memlock"] != [2]uint64{4096, 65536} {
		t.Errorf("limits %v", f.Limits)
	}
	ask(t, public+":8080", "write", "/dev/shm/x", "shared memory is not of the root")
	if f := factsOf(t, ask(t, public+":81", "facts")); f.UID != 0 || f.Limits["core"][1] == 0 || f.Limits["memlock"][1] == 65536 && c.runtime != gvisor {
		t.Errorf("limits %v of the container beside it", f.Limits)
	}
	if got := ask(t, public+":82", "read", "/tmp/v/note"); got != "x" {
		t.Errorf("the volume holds %q", got)
	}
	if got, err := story.Ask(public+":82", "write", "/tmp/v/note", "y"); err == nil || !strings.Contains(got+err.Error(), "read-only") {
		t.Errorf("volumes of another container were written to: %s %v", got, err)
	}
	if f := factsOf(t, ask(t, public+":8083", "facts")); f.Capabilities != "0000000000000000" {
		t.Errorf("all dropped, left %s", f.Capabilities)
	}
	if k := container(t, x, "root"); *k.Memory != "100" || *k.MemoryReservation != "50" || *k.Cpu != "64" || x.EphemeralStorage.SizeInGiB != 25 {
		t.Error(*k.Memory, *k.MemoryReservation, *k.Cpu, x.EphemeralStorage)
	}
	// The container's limit, not the task's, ends it.
	if _, err := story.Ask(public+":81", "alloc", "300", "1s"); err == nil {
		t.Error("300 MiB in a container of 100")
	}
}

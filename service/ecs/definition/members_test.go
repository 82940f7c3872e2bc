package definition

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neargate/aws/ecs"
)

// done says where each member of a registration that Fargate has is done, or why it
// may stay without effect by AWS's own rule.
var done = map[string]string{
	"RegisterTaskDefinitionInput.ContainerDefinitions":    "node/container",
	"RegisterTaskDefinitionInput.Cpu":                     "node/container: the sandbox's quota; control/place",
	"RegisterTaskDefinitionInput.Memory":                  "node/container: the sandbox's limit; control/place",
	"RegisterTaskDefinitionInput.EphemeralStorage":        "node/container: the sandbox's disk",
	"RegisterTaskDefinitionInput.ExecutionRoleArn":        "who pulls and writes logs: auth.ForTask",
	"RegisterTaskDefinitionInput.TaskRoleArn":             "who a task is: service/ecs/internal/trust, auth.ForTask",
	"RegisterTaskDefinitionInput.Family":                  "a name",
	"RegisterTaskDefinitionInput.NetworkMode":             "awsvpc is the only one",
	"RegisterTaskDefinitionInput.PidMode":                 "node/container: task; host is refused",
	"RegisterTaskDefinitionInput.RequiresCompatibilities": "what is checked here",
	"RegisterTaskDefinitionInput.RuntimePlatform":         "its members",
	"RegisterTaskDefinitionInput.Tags":                    "shown, and propagated by resource/compute/launch",
	"RegisterTaskDefinitionInput.Volumes":                 "node/container: mounts",
	"EphemeralStorage.SizeInGiB":                          "node/container: the sandbox's disk",
	"RuntimePlatform.CpuArchitecture":                     "control/place, node/image",
	"RuntimePlatform.OperatingSystemFamily":               "Linux; tasks of others are refused by service/ecs/internal/admit",
	"Tag.Key":                                             "shown",
	"Tag.Value":                                           "shown",
	"Volume.Name":                                         "node/container: mounts",
	"Volume.Host":                                         "empty, as for every volume of Fargate",

	"ContainerDefinition.Command":                "node/container",
	"ContainerDefinition.Cpu":                    "node/container: a share of the task's",
	"ContainerDefinition.DependsOn":              "node/task",
	"ContainerDefinition.DockerLabels":           "node/metadata",
	"ContainerDefinition.EntryPoint":             "node/container",
	"ContainerDefinition.Environment":            "node/container",
	"ContainerDefinition.EnvironmentFiles":       "node/envfile",
	"EnvironmentFile.Type":                       "s3 is the only one",
	"EnvironmentFile.Value":                      "node/envfile",
	"ContainerDefinition.Essential":              "node/task",
	"ContainerDefinition.HealthCheck":            "node/container: the command; node: its pace; node/task: what follows",
	"ContainerDefinition.Image":                  "node/image",
	"ContainerDefinition.Interactive":            "node/container",
	"ContainerDefinition.LinuxParameters":        "its members",
	"ContainerDefinition.LogConfiguration":       "node/logdriver",
	"ContainerDefinition.Memory":                 "node/container: a hard limit",
	"ContainerDefinition.MemoryReservation":      "no limit; with the task's memory given, only the sum is checked",
	"ContainerDefinition.MountPoints":            "node/container: mounts",
	"ContainerDefinition.Name":                   "a name",
	"ContainerDefinition.PortMappings":           "a container's ports are its task's; security groups guard them",
	"ContainerDefinition.PseudoTerminal":         "node/container",
	"ContainerDefinition.ReadonlyRootFilesystem": "node/container",
	"ContainerDefinition.RepositoryCredentials":  "node/secret",
	"ContainerDefinition.RestartPolicy":          "node/task",
	"ContainerDefinition.Secrets":                "node/secret",
	"RepositoryCredentials.CredentialsParameter": "node/secret",
	"Secret.Name":                                "node/secret",
	"Secret.ValueFrom":                           "node/secret",
	"ContainerDefinition.StartTimeout":           "node/task",
	"ContainerDefinition.StopTimeout":            "node/task",
	"ContainerDefinition.SystemControls":         "node/container",
	"ContainerDefinition.Ulimits":                "node/container",
	"ContainerDefinition.User":                   "node/container",
	"ContainerDefinition.VolumesFrom":            "node/container: mounts",
	"ContainerDefinition.WorkingDirectory":       "node/container",

	"ContainerDependency.Condition":               "node/task",
	"ContainerDependency.ContainerName":           "node/task",
	"ContainerRestartPolicy.Enabled":              "node/task",
	"ContainerRestartPolicy.IgnoredExitCodes":     "node/task",
	"ContainerRestartPolicy.RestartAttemptPeriod": "node/task",
	"HealthCheck.Command":                         "node/container",
	"HealthCheck.Interval":                        "node",
	"HealthCheck.Retries":                         "node",
	"HealthCheck.StartPeriod":                     "node",
	"HealthCheck.Timeout":                         "node",
	"KernelCapabilities.Add":                      "node/container; Fargate adds SYS_PTRACE only",
	"KernelCapabilities.Drop":                     "node/container",
	"KeyValuePair.Name":                           "node/container",
	"KeyValuePair.Value":                          "node/container",
	"LinuxParameters.Capabilities":                "node/container",
	"LinuxParameters.InitProcessEnabled":          "node/container",
	"LogConfiguration.LogDriver":                  "node/logdriver: awslogs",
	"LogConfiguration.Options":                    "node/logdriver",
	"LogConfiguration.SecretOptions":              "node",
	"MountPoint.ContainerPath":                    "node/container",
	"MountPoint.ReadOnly":                         "node/container",
	"MountPoint.SourceVolume":                     "node/container",
	"PortMapping.AppProtocol":                     "for Service Connect, which services refuse",
	"PortMapping.ContainerPort":                   "opens nothing that is not open",
	"PortMapping.ContainerPortRange":              "opens nothing that is not open",
	"PortMapping.HostPort":                        "the same as the container's",
	"PortMapping.Name":                            "for Service Connect, which services refuse",
	"PortMapping.Protocol":                        "opens nothing that is not open",
	"SystemControl.Namespace":                     "node/container",
	"SystemControl.Value":                         "node/container",
	"Ulimit.HardLimit":                            "node/container",
	"Ulimit.Name":                                 "node/container",
	"Ulimit.SoftLimit":                            "node/container",
	"VolumeFrom.ReadOnly":                         "node/container",
	"VolumeFrom.SourceContainer":                  "node/container",
}

type (
	input  = ecs.RegisterTaskDefinitionInput
	change = func(*input)
	box    = ecs.ContainerDefinition
)

// refused asks for each member that Fargate has not, or whose component is not here.
var refused = map[string]change{
	"RegisterTaskDefinitionInput.EnableFaultInjection": func(i *input) { i.EnableFaultInjection = new(true) },
	"RegisterTaskDefinitionInput.InferenceAccelerators": func(i *input) {
		i.InferenceAccelerators = []ecs.InferenceAccelerator{{DeviceName: new("d"), DeviceType: new("t")}}
	},
	"RegisterTaskDefinitionInput.IpcMode": func(i *input) { i.IpcMode = new("task") },
	"RegisterTaskDefinitionInput.PlacementConstraints": func(i *input) {
		i.PlacementConstraints = []ecs.TaskDefinitionPlacementConstraint{{Type: new("memberOf"), Expression: new("attribute:a == b")}}
	},
	"RegisterTaskDefinitionInput.ProxyConfiguration": func(i *input) { i.ProxyConfiguration = &ecs.ProxyConfiguration{ContainerName: new("app")} },
	"Volume.ConfiguredAtLaunch":                      volume(ecs.Volume{ConfiguredAtLaunch: new(true)}),
	"Volume.DockerVolumeConfiguration":               volume(ecs.Volume{DockerVolumeConfiguration: &ecs.DockerVolumeConfiguration{}}),
	"Volume.EfsVolumeConfiguration":                  volume(ecs.Volume{EfsVolumeConfiguration: &ecs.EFSVolumeConfiguration{FileSystemId: new("fs-1")}}),
	"Volume.FsxWindowsFileServerVolumeConfiguration": volume(ecs.Volume{FsxWindowsFileServerVolumeConfiguration: &ecs.FSxWindowsFileServerVolumeConfiguration{
		FileSystemId: new("fs-1"), RootDirectory: new("r"),
		AuthorizationConfig: &ecs.FSxWindowsFileServerAuthorizationConfig{CredentialsParameter: new("c"), Domain: new("d")},
	}}),
	"Volume.S3filesVolumeConfiguration": volume(ecs.Volume{S3filesVolumeConfiguration: &ecs.S3FilesVolumeConfiguration{FileSystemArn: new("arn")}}),
	"HostVolumeProperties.SourcePath":   volume(ecs.Volume{Host: &ecs.HostVolumeProperties{SourcePath: new("/x")}}),

	"ContainerDefinition.CredentialSpecs":       app(func(c *box) { c.CredentialSpecs = []string{"credentialspec:x"} }),
	"ContainerDefinition.DisableNetworking":     app(func(c *box) { c.DisableNetworking = new(true) }),
	"ContainerDefinition.DnsSearchDomains":      app(func(c *box) { c.DnsSearchDomains = []string{"d"} }),
	"ContainerDefinition.DnsServers":            app(func(c *box) { c.DnsServers = []string{"10.0.0.2"} }),
	"ContainerDefinition.DockerSecurityOptions": app(func(c *box) { c.DockerSecurityOptions = []string{"no-new-privileges"} }),
	"ContainerDefinition.ExtraHosts":            app(func(c *box) { c.ExtraHosts = []ecs.HostEntry{{Hostname: new("h"), IpAddress: new("10.0.0.1")}} }),
	"ContainerDefinition.FirelensConfiguration": app(func(c *box) { c.FirelensConfiguration = &ecs.FirelensConfiguration{Type: new("fluentd")} }),
	"ContainerDefinition.Hostname":              app(func(c *box) { c.Hostname = new("h") }),
	"ContainerDefinition.Links":                 app(func(c *box) { c.Links = []string{"app"} }),
	"ContainerDefinition.Privileged":            app(func(c *box) { c.Privileged = new(true) }),
	"ContainerDefinition.ResourceRequirements":  app(func(c *box) { c.ResourceRequirements = []ecs.ResourceRequirement{{Type: new("GPU"), Value: new("1")}} }),
	"ContainerDefinition.VersionConsistency":    app(func(c *box) { c.VersionConsistency = new("enabled") }),
	"LinuxParameters.Devices":                   linux(ecs.LinuxParameters{Devices: []ecs.Device{{HostPath: new("/dev/kvm")}}}),
	"LinuxParameters.MaxSwap":                   linux(ecs.LinuxParameters{MaxSwap: new(int32(1))}),
	"LinuxParameters.SharedMemorySize":          linux(ecs.LinuxParameters{SharedMemorySize: new(int32(64))}),
	"LinuxParameters.Swappiness":                linux(ecs.LinuxParameters{Swappiness: new(int32(1))}),
	"LinuxParameters.Tmpfs":                     linux(ecs.LinuxParameters{Tmpfs: []ecs.Tmpfs{{ContainerPath: new("/t"), Size: new(int32(1))}}}),
}

func volume(v ecs.Volume) change {
	v.Name = new("v")
	return func(i *input) { i.Volumes = []ecs.Volume{v} }
}

func linux(l ecs.LinuxParameters) change { return app(func(c *box) { c.LinuxParameters = &l }) }

// TestNothingIsIgnored fails when the model gets a member that nobody has thought
// about: each is done somewhere, or refused, which is tried.
func TestNothingIsIgnored(t *testing.T) {
	seen := map[string]bool{}
	walk(reflect.TypeFor[input](), seen)
	for _, m := range slices.Sorted(maps.Keys(seen)) {
		if (done[m] == "") == (refused[m] == nil) {
			t.Errorf("%s is done: %q, refused: %v", m, done[m], refused[m] != nil)
		}
	}
	for m := range done {
		if !seen[m] {
			t.Errorf("%s is done, but no member of the model", m)
		}
	}
	role := func(i *input) { i.ExecutionRoleArn = new("exec") }
	if _, err := newHandler(t).RegisterTaskDefinition(ctx, fargate(role)); err != nil {
		t.Fatal(err)
	}
	for m, ask := range refused {
		if !seen[m] {
			t.Errorf("%s is refused, but no member of the model", m)
		}
		_, err := newHandler(t).RegisterTaskDefinition(ctx, fargate(role, ask))
		if err == nil || !strings.HasPrefix(err.Error(), "ClientException: ") {
			t.Errorf("%s: %v", m, err)
		}
	}
}

// walk notes the members of a type of the API, and of those inside that are not
// refused, as Type.Member.
func walk(t reflect.Type, seen map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		name := fmt.Sprintf("%s.%s", t.Name(), f.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		if refused[name] == nil {
			walk(f.Type, seen)
		}
	}
}

// TestOffIsNotAsked has what is refused be given and turned off, as Terraform's
// modules write it.
func TestOffIsNotAsked(t *testing.T) {
	_, err := newHandler(t).RegisterTaskDefinition(ctx, fargate(
		func(i *input) { i.EnableFaultInjection, i.ExecutionRoleArn = new(false), new("exec") },
		volume(ecs.Volume{Host: &ecs.HostVolumeProperties{}, ConfiguredAtLaunch: new(false)}),
		app(func(c *box) {
			c.Interactive, c.PseudoTerminal, c.Privileged, c.DisableNetworking = new(false), new(false), new(false), new(false)
			c.VersionConsistency, c.Secrets, c.EnvironmentFiles = new("disabled"), []ecs.Secret{}, []ecs.EnvironmentFile{}
			c.Links, c.DnsServers, c.ExtraHosts, c.ResourceRequirements = []string{}, []string{}, []ecs.HostEntry{}, []ecs.ResourceRequirement{}
		}),
	))
	if err != nil {
		t.Error(err)
	}
}

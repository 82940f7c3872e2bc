package definition

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/aws/ecs"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/query"
	"neargate/service/ecs/internal/ref"
)

// maxContainers bounds the containers of a definition. Source: Amazon ECS service
// quotas.
const maxContainers = 10

// refuse is a ClientException with a formatted text.
func refuse(format string, args ...any) error {
	return ecs.ClientException(fmt.Sprintf(format, args...))
}

// first returns the first error of a list of checks, in order.
func first(d *taskdef.Definition, checks ...func(*taskdef.Definition) error) error {
	for _, c := range checks {
		if err := c(d); err != nil {
			return err
		}
	}
	return nil
}

// validate checks everything that does not depend on defaults, in the order in
// which ECS reports: names, the task's size, then members, then containers; what ECS
// would take and is not built comes last. It normalises the size and the roles.
func validate(d *taskdef.Definition) error {
	return first(d,
		validateFamily, normaliseSize, validateWords, normaliseRoles, validatePlacement,
		validateStorage, validateContainerNames, validateVolumes, validateContainers, validateDependencies,
		validateSums, refuseUnbuilt,
	)
}

func validateFamily(d *taskdef.Definition) error {
	if !ref.ValidName(d.Family) {
		return refuse("Family contains invalid characters.")
	}
	return nil
}

// Bounds of a task's cpu on EC2. Source: RegisterTaskDefinition API reference.
const minCPU, maxCPU = 128, 196608

// normaliseSize writes the task's cpu and memory as numbers.
func normaliseSize(d *taskdef.Definition) error {
	if d.Cpu != nil {
		n, ok := taskdef.ParseCPU(*d.Cpu)
		if !ok || n < minCPU || n > maxCPU {
			return ecs.InvalidParameterException("Invalid 'cpu' setting for task.")
		}
		d.Cpu = new(strconv.Itoa(n))
	}
	if d.Memory != nil {
		n, ok := taskdef.ParseMemory(*d.Memory)
		if !ok {
			return ecs.InvalidParameterException("Invalid 'memory' setting for task.")
		}
		d.Memory = new(strconv.Itoa(n))
	}
	return nil
}

// size returns the normalised size of a task; 0 stands for none.
func size(d *taskdef.Definition) (cpu, memory int) {
	cpu, _ = taskdef.ParseCPU(deref(d.Cpu))
	memory, _ = taskdef.ParseMemory(deref(d.Memory))
	return cpu, memory
}

var osFamilies = []string{"LINUX", "WINDOWS_SERVER_2004_CORE", "WINDOWS_SERVER_2016_FULL", "WINDOWS_SERVER_2019_CORE",
	"WINDOWS_SERVER_2019_FULL", "WINDOWS_SERVER_2022_CORE", "WINDOWS_SERVER_2022_FULL", "WINDOWS_SERVER_2025_CORE",
	"WINDOWS_SERVER_2025_FULL", "WINDOWS_SERVER_20H2_CORE"}

// validateWords checks the members that take one of a few words.
func validateWords(d *taskdef.Definition) error {
	for i := range d.RequiresCompatibilities {
		err := check.OneOf("requires compatibilities", &d.RequiresCompatibilities[i], "EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
		if err != nil {
			return err
		}
	}
	platform := taskdef.RuntimePlatform{}
	if d.RuntimePlatform != nil {
		platform = *d.RuntimePlatform
	}
	for _, w := range []struct {
		what    string
		value   *string
		allowed []string
	}{
		{"network mode", d.NetworkMode, []string{"bridge", "host", "awsvpc", "none"}},
		{"pid mode", d.PidMode, []string{"host", "task"}},
		{"ipc mode", d.IpcMode, []string{"host", "task", "none"}},
		{"operating system family", platform.OperatingSystemFamily, osFamilies},
		{"cpu architecture", platform.CpuArchitecture, []string{"X86_64", "ARM64"}},
	} {
		if err := check.OneOf(w.what, w.value, w.allowed...); err != nil {
			return err
		}
	}
	return nil
}

var roleName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

// normaliseRoles writes role names as ARNs of the account.
func normaliseRoles(d *taskdef.Definition) error {
	for _, role := range []**string{&d.TaskRoleArn, &d.ExecutionRoleArn} {
		if *role == nil {
			continue
		}
		full, ok := roleARN(d, **role)
		if !ok {
			return refuse("Role is not valid")
		}
		*role = &full
	}
	return nil
}

func roleARN(d *taskdef.Definition, role string) (string, bool) {
	if !arn.Is(role) {
		return arn.ARN{Partition: arn.Partition(d.Region), Service: "iam", Account: d.Account, Resource: "role/" + role}.String(),
			roleName.MatchString(role)
	}
	a, err := arn.Parse(role)
	path := a.Path()
	ok := err == nil && a.Service == "iam" && a.Account == d.Account && len(path) >= 2 && path[0] == "role" &&
		roleName.MatchString(path[len(path)-1])
	return role, ok
}

func validatePlacement(d *taskdef.Definition) error {
	if err := check.AtMost("placement constraints", len(d.PlacementConstraints), 10); err != nil {
		return err
	}
	for _, p := range d.PlacementConstraints {
		if deref(p.Type) != "memberOf" {
			return ecs.InvalidParameterException("Invalid placement constraint type. The value must be memberOf.")
		}
		if _, err := query.Parse(deref(p.Expression)); err != nil {
			return ecs.InvalidParameterException("Invalid placement constraint expression: " + err.Error())
		}
	}
	return nil
}

func validateStorage(d *taskdef.Definition) error {
	if s := d.EphemeralStorage; s != nil && (s.SizeInGiB < 21 || s.SizeInGiB > 200) {
		return refuse("Invalid 'sizeInGiB' setting for ephemeralStorage. The value must be between 21 and 200.")
	}
	return nil
}

func validateContainerNames(d *taskdef.Definition) error {
	if len(d.ContainerDefinitions) > maxContainers {
		return refuse("Too many containers.")
	}
	seen := map[string]bool{}
	essential := false
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		switch {
		case c.Name == "":
			return refuse("Container.name should not be null or empty.")
		case !ref.ValidName(c.Name):
			return refuse("Container.name contains invalid characters.")
		case c.Image == "":
			return refuse("Container.image should not be null or empty.")
		case seen[c.Name]:
			return refuse("Container names must be unique within a Task Definition.")
		}
		seen[c.Name] = true
		essential = essential || c.Essential
	}
	if !essential {
		return refuse("Task definition doesn't have any essential container.")
	}
	return nil
}

// validateVolumes checks the volumes and what containers mount.
func validateVolumes(d *taskdef.Definition) error {
	names := map[string]bool{}
	for _, v := range d.Volumes {
		switch {
		case !ref.ValidName(v.Name):
			return refuse("Invalid 'name' setting for volume '%s'.", v.Name)
		case names[v.Name]:
			return refuse("Duplicate volume name '%s'.", v.Name)
		case v.Host != nil && v.Host.SourcePath != nil && *v.Host.SourcePath == "":
			return refuse("host.sourcePath should not be blank.")
		case v.Host != nil && v.Host.SourcePath != nil && v.DockerVolumeConfiguration != nil:
			return refuse("When the volume parameter is specified, only one volume configuration type should be used.")
		}
		if v.DockerVolumeConfiguration != nil {
			if err := check.OneOf("scope", v.DockerVolumeConfiguration.Scope, "task", "shared"); err != nil {
				return err
			}
		}
		names[v.Name] = true
	}
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		for _, m := range c.MountPoints {
			if !names[m.SourceVolume] {
				return refuse("Unknown volume '%s'.", m.SourceVolume)
			}
			if m.ContainerPath == "" {
				return refuse("Invalid 'containerPath' setting for container '%s'.", c.Name)
			}
		}
		for _, v := range c.VolumesFrom {
			if v.SourceContainer == c.Name || d.Container(v.SourceContainer) == nil {
				return refuse("Invalid 'volumesFrom' setting for container '%s'. Unknown container '%s'.", c.Name, v.SourceContainer)
			}
		}
	}
	return nil
}

// validateDependencies checks the start order of the containers.
func validateDependencies(d *taskdef.Definition) error {
	conditions := []string{"START", "COMPLETE", "SUCCESS", "HEALTHY"}
	for i := range d.ContainerDefinitions {
		for _, dep := range d.ContainerDefinitions[i].DependsOn {
			if err := check.OneOf("dependency condition", &dep.Condition, conditions...); err != nil {
				return err
			}
			if d.Container(dep.ContainerName) == nil {
				return refuse("Cannot depend on container + '%s' because it does not exist", dep.ContainerName)
			}
		}
	}
	if cyclic(d) {
		return refuse("Container dependsOn contains a cycle")
	}
	for i := range d.ContainerDefinitions {
		for _, dep := range d.ContainerDefinitions[i].DependsOn {
			on := d.Container(dep.ContainerName)
			if dep.Condition == "HEALTHY" && on.HealthCheck == nil {
				return refuse("A dependency container with HEALTHY condition must have health check configured")
			}
			if on.Essential && (dep.Condition == "SUCCESS" || dep.Condition == "COMPLETE") {
				return refuse("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
			}
		}
	}
	return nil
}

// cyclic reports whether containers wait for each other in a circle: whether some
// are left when those that wait for none that is left are taken away repeatedly.
func cyclic(d *taskdef.Definition) bool {
	left := map[string][]taskdef.Dependency{}
	for _, c := range d.ContainerDefinitions {
		left[c.Name] = c.DependsOn
	}
	for range d.ContainerDefinitions {
		for name, deps := range left {
			waits := slices.ContainsFunc(deps, func(dep taskdef.Dependency) bool { _, ok := left[dep.ContainerName]; return ok })
			if !waits {
				delete(left, name)
			}
		}
	}
	return len(left) > 0
}

// validateSums checks the containers' shares of the task's size.
func validateSums(d *taskdef.Definition) error {
	cpu, memory := size(d)
	sumCPU, sumReserved := 0, 0
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		sumCPU += int(c.Cpu)
		sumReserved += int(deref(c.MemoryReservation))
		if memory > 0 && int(deref(c.Memory)) > memory {
			return refuse("The 'memory' setting for container '%s' is greater than for the task.", c.Name)
		}
	}
	if cpu > 0 && sumCPU > cpu {
		return refuse("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")
	}
	if memory > 0 && sumReserved > memory {
		return refuse("The sum of all container 'memoryReservation' values cannot exceed the value of the task 'memory'.")
	}
	return nil
}

// validatePorts checks the port mappings after defaults are filled in.
func validatePorts(d *taskdef.Definition) error {
	mapped, named := map[string]bool{}, map[string]bool{}
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		for j := range c.PortMappings {
			p := &c.PortMappings[j]
			if err := validatePort(d, c, p); err != nil {
				return err
			}
			if host := deref(p.HostPort); host != 0 {
				key := fmt.Sprintf("%s host port '%d'", strings.ToUpper(p.Protocol), host)
				if mapped[key] {
					return refuse("%s is mapped multiple times in task.", key)
				}
				mapped[key] = true
			}
			if p.Name != nil {
				if named[*p.Name] {
					return refuse("Port mapping names must be unique within a Task Definition.")
				}
				named[*p.Name] = true
			}
		}
	}
	return nil
}

var portRange = regexp.MustCompile(`^([0-9]{1,5})-([0-9]{1,5})$`)

func validatePort(d *taskdef.Definition, c *taskdef.Container, p *taskdef.PortMapping) error {
	if err := check.OneOf("protocol", &p.Protocol, "tcp", "udp"); err != nil {
		return err
	}
	if err := check.OneOf("app protocol", p.AppProtocol, "http", "http2", "grpc"); err != nil {
		return err
	}
	bad := func(member string) error { return refuse("Invalid '%s' setting for container '%s'.", member, c.Name) }
	switch {
	case p.Name != nil && !ref.ValidName(*p.Name):
		return bad("name")
	case p.ContainerPortRange != nil:
		m := portRange.FindStringSubmatch(*p.ContainerPortRange)
		if m == nil || p.ContainerPort != 0 || p.HostPort != nil {
			return bad("containerPortRange")
		}
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		if from < 1 || to > 65535 || from > to {
			return bad("containerPortRange")
		}
	case p.ContainerPort < 1 || p.ContainerPort > 65535:
		return bad("containerPort")
	case *p.HostPort < 0 || *p.HostPort > 65535:
		return bad("hostPort")
	case deref(d.NetworkMode) == "awsvpc" && *p.HostPort != p.ContainerPort:
		return refuse("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
	case deref(d.NetworkMode) == "host" && *p.HostPort != p.ContainerPort:
		return refuse("When networkMode=host, the host ports and container ports in port mappings must match.")
	case deref(d.NetworkMode) == "none":
		return refuse("Port mappings are not supported when networkMode=none.")
	}
	return nil
}

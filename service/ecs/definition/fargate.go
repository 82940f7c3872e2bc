package definition

import (
	"strings"

	"neargate/resource/compute/taskdef"
)

// unsupported is the error for a parameter Fargate does not have.
func unsupported(parameter string) error {
	return refuse("Fargate compatible task definitions do not support %s", parameter)
}

// fargateProblem says why a valid definition cannot run on Fargate. Source: Amazon
// ECS task definition differences for Fargate.
func fargateProblem(d *taskdef.Definition) error {
	return first(d, fargateTask, fargateVolumes, fargateContainers)
}

func fargateTask(d *taskdef.Definition) error {
	cpu, memory := size(d)
	os := ""
	if d.RuntimePlatform != nil {
		os = deref(d.RuntimePlatform.OperatingSystemFamily)
	}
	switch {
	case deref(d.NetworkMode) != "awsvpc":
		return refuse("Fargate only supports network mode ‘awsvpc’.")
	case cpu == 0:
		return refuse("Fargate requires that 'cpu' be defined at the task level.")
	case memory == 0:
		return refuse("Fargate requires that 'memory' be defined at the task level.")
	case !taskdef.FargateSize(cpu, memory, os):
		return refuse("No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	case d.IpcMode != nil:
		return refuse("Tasks using the Fargate launch type do not support ipcMode.")
	case deref(d.PidMode) == "host":
		return refuse("Tasks using the Fargate launch type do not support pidMode 'host'.")
	case len(d.PlacementConstraints) > 0:
		return unsupported("placementConstraints")
	}
	return nil
}

func fargateVolumes(d *taskdef.Definition) error {
	for _, v := range d.Volumes {
		if v.Host != nil && v.Host.SourcePath != nil {
			return unsupported("sourcePath")
		}
		if v.DockerVolumeConfiguration != nil {
			return unsupported("dockerVolumeConfiguration")
		}
	}
	return nil
}

func fargateContainers(d *taskdef.Definition) error {
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		for _, check := range []func(*taskdef.Definition, *taskdef.Container) error{fargateContainer, fargateLinux, fargateRole} {
			if err := check(d, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxFiles is the greatest nofile limit of Fargate.
const maxFiles = 1048576

func fargateContainer(_ *taskdef.Definition, c *taskdef.Container) error {
	switch {
	case deref(c.Privileged):
		return unsupported("privileged")
	case len(c.DockerSecurityOptions) > 0:
		return unsupported("dockerSecurityOptions")
	case c.StopTimeout != nil && *c.StopTimeout > 120:
		return setting("stopTimeout", c)
	}
	for _, u := range c.Ulimits {
		if u.Name == "nofile" && (u.HardLimit > maxFiles || u.HardLimit < 0) {
			return setting("ulimits", c)
		}
	}
	if log := c.LogConfiguration; log != nil {
		switch log.LogDriver {
		case "awslogs", "splunk", "awsfirelens":
		default:
			return unsupported("log driver " + log.LogDriver)
		}
		if log.LogDriver == "awslogs" && !log.Gives(taskdef.LogStreamPrefix) {
			return refuse("Log driver awslogs requires options: awslogs-stream-prefix")
		}
	}
	return nil
}

func fargateLinux(_ *taskdef.Definition, c *taskdef.Container) error {
	l := c.LinuxParameters
	switch {
	case l == nil:
		return nil
	case len(l.Devices) > 0:
		return unsupported("devices")
	case l.SharedMemorySize != nil:
		return unsupported("sharedMemorySize")
	case len(l.Tmpfs) > 0:
		return unsupported("tmpfs")
	case l.MaxSwap != nil:
		return unsupported("maxSwap")
	case l.Swappiness != nil:
		return unsupported("swappiness")
	}
	if l.Capabilities != nil {
		for _, name := range l.Capabilities.Add {
			if name != "SYS_PTRACE" {
				return unsupported("adding the capability " + name)
			}
		}
	}
	return nil
}

func fargateRole(d *taskdef.Definition, c *taskdef.Container) error {
	switch {
	case d.ExecutionRoleArn != nil:
		return nil
	case isECR(c.Image):
		return refuse("Fargate requires task definition to have execution role ARN to support ECR images.")
	case c.LogConfiguration != nil && c.LogConfiguration.LogDriver == "awslogs":
		return refuse("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
	}
	return nil
}

// externalProblem says why a definition cannot run on external instances.
func externalProblem(d *taskdef.Definition) error {
	if deref(d.NetworkMode) == "awsvpc" {
		return refuse("External instances do not support network mode 'awsvpc'.")
	}
	return nil
}

// managedProblem says why a definition cannot run on managed instances.
func managedProblem(d *taskdef.Definition) error {
	mode := deref(d.NetworkMode)
	if mode != "awsvpc" && mode != "host" {
		return refuse("Managed instances only support network modes 'awsvpc' and 'host'.")
	}
	if d.RuntimePlatform != nil && strings.HasPrefix(deref(d.RuntimePlatform.OperatingSystemFamily), "WINDOWS") {
		return refuse("Managed instances do not support Windows.")
	}
	return nil
}

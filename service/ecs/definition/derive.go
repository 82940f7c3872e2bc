package definition

import (
	"maps"
	"slices"
	"strings"

	"neargate/resource/compute/taskdef"
)

// materialise fills in what ECS answers for omitted members.
func materialise(d *taskdef.Definition) {
	if d.Volumes == nil {
		d.Volumes = []taskdef.Volume{}
	}
	if d.PlacementConstraints == nil {
		d.PlacementConstraints = []taskdef.PlacementConstraint{}
	}
	mode := deref(d.NetworkMode)
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		present(&c.Environment)
		present(&c.MountPoints)
		present(&c.PortMappings)
		present(&c.SystemControls)
		present(&c.VolumesFrom)
		for j := range c.PortMappings {
			materialisePort(&c.PortMappings[j], mode)
		}
	}
}

// present makes an absent list an empty one.
func present[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

func materialisePort(p *taskdef.PortMapping, mode string) {
	if p.Protocol == "" {
		p.Protocol = "tcp"
	}
	if p.ContainerPortRange != nil {
		return
	}
	fixed := mode == "awsvpc" || mode == "host"
	switch {
	case p.HostPort == nil && fixed, fixed && *p.HostPort == 0:
		p.HostPort = new(p.ContainerPort)
	case p.HostPort == nil:
		p.HostPort = new(int32(0))
	}
}

// compatibilities lists the launch types that can run d, or refuses d when one it
// requires cannot.
func compatibilities(d *taskdef.Definition) ([]string, error) {
	var can []string
	for _, l := range []struct {
		name    string
		problem func(*taskdef.Definition) error
	}{
		{"EXTERNAL", externalProblem},
		{"EC2", func(*taskdef.Definition) error { return nil }},
		{"FARGATE", fargateProblem},
		{"MANAGED_INSTANCES", managedProblem},
	} {
		err := l.problem(d)
		if err == nil {
			can = append(can, l.name)
		} else if slices.Contains(d.RequiresCompatibilities, l.name) {
			return nil, err
		}
	}
	return can, nil
}

// logDrivers maps a log driver to the version of Docker's API it came with.
// Source: Amazon ECS container agent, Docker remote API requirements.
var logDrivers = map[string]string{
	"json-file": "1.18", "syslog": "1.18", "journald": "1.19", "awslogs": "1.19",
	"gelf": "1.20", "fluentd": "1.20", "splunk": "1.22", "awsfirelens": "1.18",
}

const (
	legacy = "com.amazonaws.ecs.capability."
	modern = "ecs.capability."
	docker = legacy + "docker-remote-api."
)

// requiresAttributes derives the attributes a container instance needs to run d,
// sorted; nil when it needs none.
func requiresAttributes(d *taskdef.Definition) []taskdef.Attribute {
	need := map[string]bool{}
	mode := deref(d.NetworkMode)
	if mode == "awsvpc" {
		need[docker+"1.18"], need[modern+"task-eni"] = true, true
	}
	if d.TaskRoleArn != nil {
		need[legacy+"task-iam-role"] = true
		if mode == "host" {
			need[legacy+"task-iam-role-network-host"] = true
		}
	}
	if d.PidMode != nil || d.IpcMode != nil {
		need[modern+"pid-ipc-namespace-sharing"] = true
	}
	for i := range d.ContainerDefinitions {
		containerNeeds(d, &d.ContainerDefinitions[i], need)
	}
	var out []taskdef.Attribute
	for _, name := range slices.Sorted(maps.Keys(need)) {
		out = append(out, taskdef.Attribute{Name: name})
	}
	return out
}

func containerNeeds(d *taskdef.Definition, c *taskdef.Container, need map[string]bool) {
	if strings.Contains(c.Image, "@sha256:") || c.MemoryReservation != nil {
		need[docker+"1.21"] = true
	}
	if isECR(c.Image) {
		need[legacy+"ecr-auth"] = true
		if d.ExecutionRoleArn != nil {
			need[modern+"execution-role-ecr-pull"] = true
		}
	}
	if c.DependsOn != nil || c.StartTimeout != nil || c.StopTimeout != nil {
		need[modern+"container-ordering"] = true
	}
	if c.HealthCheck != nil {
		need[modern+"container-health-check"], need[docker+"1.24"] = true, true
	}
	if deref(c.Privileged) {
		need[legacy+"privileged-container"] = true
	}
	if c.RepositoryCredentials != nil {
		need[modern+"private-registry-authentication.secretsmanager"] = true
	}
	if len(c.EnvironmentFiles) > 0 {
		need[modern+"env-files.s3"] = true
	}
	for _, s := range c.Secrets {
		need[modern+"secrets."+secretStore(s.ValueFrom)+".environment-variables"] = true
	}
	if log := c.LogConfiguration; log != nil {
		need[legacy+"logging-driver."+log.LogDriver], need[docker+logDrivers[log.LogDriver]] = true, true
		if log.LogDriver == "awslogs" && d.ExecutionRoleArn != nil {
			need[modern+"execution-role-awslogs"] = true
		}
		for _, s := range log.SecretOptions {
			need[modern+"secrets."+secretStore(s.ValueFrom)+".bootstrap.log-driver"] = true
		}
	}
}

// secretStore names where a secret's value is kept.
func secretStore(valueFrom string) string {
	if strings.Contains(valueFrom, ":secretsmanager:") {
		return "asm"
	}
	return "ssm"
}

// isECR reports whether an image is in a private ECR registry.
func isECR(image string) bool {
	host, _, _ := strings.Cut(image, "/")
	return strings.Contains(host, ".dkr.ecr.") && strings.Contains(host, ".amazonaws.com")
}

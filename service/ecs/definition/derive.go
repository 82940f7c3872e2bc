package definition

import (
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
	var need []string
	mode := deref(d.NetworkMode)
	if mode == "awsvpc" {
		need = append(need, docker+"1.18", modern+"task-eni")
	}
	if d.TaskRoleArn != nil {
		need = append(need, legacy+"task-iam-role")
		if mode == "host" {
			need = append(need, legacy+"task-iam-role-network-host")
		}
	}
	if d.PidMode != nil || d.IpcMode != nil {
		need = append(need, modern+"pid-ipc-namespace-sharing")
	}
	for i := range d.ContainerDefinitions {
		need = appendNeeds(need, d, &d.ContainerDefinitions[i])
	}
	if need == nil {
		return nil
	}
	slices.Sort(need)
	need = slices.Compact(need)
	out := make([]taskdef.Attribute, len(need))
	for i, name := range need {
		out[i].Name = name
	}
	return out
}

// appendNeeds adds what a container needs, some of it perhaps again.
func appendNeeds(need []string, d *taskdef.Definition, c *taskdef.Container) []string {
	add := func(names ...string) { need = append(need, names...) }
	if strings.Contains(c.Image, "@sha256:") || c.MemoryReservation != nil {
		add(docker + "1.21")
	}
	if isECR(c.Image) {
		add(legacy + "ecr-auth")
		if d.ExecutionRoleArn != nil {
			add(modern + "execution-role-ecr-pull")
		}
	}
	if c.DependsOn != nil || c.StartTimeout != nil || c.StopTimeout != nil {
		add(modern + "container-ordering")
	}
	if c.HealthCheck != nil {
		add(modern+"container-health-check", docker+"1.24")
	}
	if deref(c.Privileged) {
		add(legacy + "privileged-container")
	}
	if c.RepositoryCredentials != nil {
		add(modern + "private-registry-authentication.secretsmanager")
	}
	if len(c.EnvironmentFiles) > 0 {
		add(modern + "env-files.s3")
	}
	for _, s := range c.Secrets {
		add(modern + "secrets." + secretStore(s.ValueFrom) + ".environment-variables")
	}
	if log := c.LogConfiguration; log != nil {
		add(legacy+"logging-driver."+log.LogDriver, docker+logDrivers[log.LogDriver])
		if log.LogDriver == "awslogs" && d.ExecutionRoleArn != nil {
			add(modern + "execution-role-awslogs")
		}
		for _, s := range log.SecretOptions {
			add(modern + "secrets." + secretStore(s.ValueFrom) + ".bootstrap.log-driver")
		}
	}
	return need
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

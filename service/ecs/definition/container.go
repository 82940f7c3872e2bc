package definition

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/check"
)

// validateContainers checks every container by itself.
func validateContainers(d *taskdef.Definition) error {
	for i := range d.ContainerDefinitions {
		for _, check := range []func(*taskdef.Definition, *taskdef.Container) error{
			containerSize, containerNetwork, containerSecrets, containerLog, containerHealth, containerLimits, containerLinux,
		} {
			if err := check(d, &d.ContainerDefinitions[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// setting is the error for a member of a container with a bad value.
func setting(member string, c *taskdef.Container) error {
	return refuse("Invalid '%s' setting for container '%s'.", member, c.Name)
}

// minMemory is the least memory of a container, in MiB. Source: ContainerDefinition
// API reference.
const minMemory = 4

func containerSize(d *taskdef.Definition, c *taskdef.Container) error {
	switch {
	case c.Cpu < 0:
		return setting("cpu", c)
	case d.Memory == nil && c.Memory == nil && c.MemoryReservation == nil:
		return refuse("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", c.Name)
	case c.Memory != nil && *c.Memory < minMemory:
		return setting("memory", c)
	case c.MemoryReservation != nil && *c.MemoryReservation < minMemory,
		c.Memory != nil && c.MemoryReservation != nil && *c.MemoryReservation > *c.Memory:
		return setting("memoryReservation", c)
	}
	return nil
}

// containerNetwork refuses what a task's own network interface leaves no room for.
func containerNetwork(d *taskdef.Definition, c *taskdef.Container) error {
	if deref(d.NetworkMode) != "awsvpc" {
		return nil
	}
	for _, m := range []struct {
		given bool
		what  string
	}{
		{len(c.Links) > 0, "Links are"},
		{c.Hostname != nil, "Hostname is"},
		{len(c.ExtraHosts) > 0, "Extra hosts are"},
		{len(c.DnsServers) > 0, "DNS servers are"},
		{len(c.DnsSearchDomains) > 0, "DNS search domains are"},
		{deref(c.DisableNetworking), "Disabled networking is"},
	} {
		if m.given {
			return refuse("%s not supported when networkMode=awsvpc.", m.what)
		}
	}
	return nil
}

// parameterName is what the names of parameters look like.
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// secretProblem says what is wrong with a secret of a list, of which seen are those
// before it.
func secretProblem(c *taskdef.Container, list string, s *taskdef.Secret, seen map[string]bool) error {
	switch {
	case s.Name == "" || s.ValueFrom == "":
		return setting(list, c)
	case !strings.HasPrefix(s.ValueFrom, "arn:") && !parameterName.MatchString(s.ValueFrom):
		return refuse("The Systems Manager parameter name specified for secret %s is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-,", s.Name)
	case seen[s.Name]:
		return refuse("Duplicate secret names found: %s. Each secret name must be unique.", s.Name)
	}
	seen[s.Name] = true
	return nil
}

// containerSecrets checks the environment and what is put into it. An empty list of
// secrets asks for the execution role too, as on AWS.
func containerSecrets(d *taskdef.Definition, c *taskdef.Container) error {
	if c.Secrets != nil && d.ExecutionRoleArn == nil {
		return refuse("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
	}
	if c.RepositoryCredentials != nil && d.ExecutionRoleArn == nil {
		return refuse("Private repository authentication requires that the task definition specify a value for executionRoleArn.")
	}
	set := map[string]bool{}
	for _, v := range c.Environment {
		if strings.TrimSpace(v.Name) == "" {
			return refuse("Environment variable name cannot be null or blank.")
		}
		set[v.Name] = true
	}
	seen := map[string]bool{}
	for _, s := range c.Secrets {
		if err := secretProblem(c, "secrets", &s, seen); err != nil {
			return err
		}
		if set[s.Name] {
			return refuse("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", s.Name)
		}
	}
	if len(c.EnvironmentFiles) > 10 {
		return setting("environmentFiles", c)
	}
	for _, f := range c.EnvironmentFiles {
		if err := check.OneOf("environment file type", &f.Type, "s3"); err != nil {
			return err
		}
		if !strings.Contains(f.Value, ":s3:::") || !strings.HasSuffix(f.Value, ".env") {
			return refuse("Invalid arn syntax.")
		}
	}
	return nil
}

func containerLog(d *taskdef.Definition, c *taskdef.Container) error {
	log := c.LogConfiguration
	if log == nil {
		return nil
	}
	err := check.OneOf("log driver", &log.LogDriver,
		"json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens")
	if err != nil {
		return err
	}
	if len(log.SecretOptions) > 0 && d.ExecutionRoleArn == nil {
		return refuse("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
	}
	seen := map[string]bool{}
	for _, s := range log.SecretOptions {
		if err := secretProblem(c, "logConfiguration.secretOptions", &s, seen); err != nil {
			return err
		}
		if _, twice := log.Options[s.Name]; twice {
			return setting("logConfiguration.secretOptions", c)
		}
	}
	if log.LogDriver == "awslogs" {
		return awslogs(c, log)
	}
	return nil
}

// awslogsOptions are the options of the awslogs driver. Source: LogConfiguration
// API reference.
var awslogsOptions = []string{
	taskdef.LogGroup, taskdef.LogRegion, taskdef.LogStreamPrefix, taskdef.LogCreateGroup,
	taskdef.LogDatetime, taskdef.LogMultiline, taskdef.LogMode, taskdef.LogBuffer,
}

// awslogs checks the options of the awslogs driver. Whether a pattern can be compiled,
// and what a secret holds, shows when a task starts.
func awslogs(c *taskdef.Container, log *taskdef.Logging) error {
	if !log.Gives(taskdef.LogRegion) || !log.Gives(taskdef.LogGroup) {
		return refuse("Log driver awslogs requires options: awslogs-region, awslogs-group")
	}
	given := slices.Collect(maps.Keys(log.Options))
	for _, s := range log.SecretOptions {
		given = append(given, s.Name)
	}
	var unknown []string
	for _, o := range slices.Sorted(slices.Values(given)) {
		if !slices.Contains(awslogsOptions, o) {
			unknown = append(unknown, o)
		}
	}
	if len(unknown) > 0 {
		return refuse("Log driver awslogs disallows options: %s", strings.Join(unknown, ", "))
	}
	if log.Gives(taskdef.LogDatetime) && log.Gives(taskdef.LogMultiline) {
		return refuse("you cannot configure log opt '%s' and '%s' at the same time", taskdef.LogDatetime, taskdef.LogMultiline)
	}
	if _, ok := log.Mode(taskdef.LogNonBlocking); !ok {
		return setting("logConfiguration.options.mode", c)
	}
	if _, ok := log.BufferSize(); !ok {
		return setting("logConfiguration.options.max-buffer-size", c)
	}
	if _, ok := log.CreatesGroup(); !ok {
		return setting("logConfiguration.options.awslogs-create-group", c)
	}
	return nil
}

// span is a member with the least and greatest values it may have.
type span struct {
	member    string
	value     *int32
	low, high int32
}

func within(c *taskdef.Container, spans ...span) error {
	for _, s := range spans {
		if s.value != nil && (*s.value < s.low || *s.value > s.high) {
			return setting(s.member, c)
		}
	}
	return nil
}

// containerHealth checks a health check. Source: HealthCheck API reference.
func containerHealth(_ *taskdef.Definition, c *taskdef.Container) error {
	h := c.HealthCheck
	if h == nil {
		return nil
	}
	if len(h.Command) == 0 || len(h.Command) == 1 && (h.Command[0] == "CMD" || h.Command[0] == "CMD-SHELL") {
		return setting("healthCheck", c)
	}
	return within(c,
		span{"healthCheck.interval", h.Interval, 5, 300},
		span{"healthCheck.timeout", h.Timeout, 2, 60},
		span{"healthCheck.retries", h.Retries, 1, 10},
		span{"healthCheck.startPeriod", h.StartPeriod, 0, 300},
	)
}

var ulimits = []string{"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
	"rss", "rtprio", "rttime", "sigpending", "stack"}

// maxTimeout bounds timeouts where only Fargate has a bound, in seconds.
const maxTimeout = 1 << 30

func containerLimits(_ *taskdef.Definition, c *taskdef.Container) error {
	seen := map[string]bool{}
	for _, u := range c.Ulimits {
		switch {
		case !slices.Contains(ulimits, u.Name):
			return refuse("Unrecognized ulimit name %s", u.Name)
		case seen[u.Name]:
			return refuse("Duplicate ulimit name %s", u.Name)
		case u.HardLimit >= 0 && (u.SoftLimit > u.HardLimit || u.SoftLimit < 0):
			return setting("ulimits", c)
		}
		seen[u.Name] = true
	}
	if err := within(c, span{"startTimeout", c.StartTimeout, 2, maxTimeout}, span{"stopTimeout", c.StopTimeout, 2, maxTimeout}); err != nil {
		return err
	}
	if r := c.RestartPolicy; r != nil {
		if len(r.IgnoredExitCodes) > 50 {
			return setting("restartPolicy.ignoredExitCodes", c)
		}
		return within(c, span{"restartPolicy.restartAttemptPeriod", r.RestartAttemptPeriod, 60, 1800})
	}
	return check.OneOf("version consistency", c.VersionConsistency, "enabled", "disabled")
}

var capabilities = []string{"ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE",
	"DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN",
	"MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP",
	"SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE",
	"SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"}

func containerLinux(_ *taskdef.Definition, c *taskdef.Container) error {
	for _, s := range c.SystemControls {
		if deref(s.Namespace) == "" || s.Value == nil {
			return setting("systemControls", c)
		}
	}
	l := c.LinuxParameters
	if l == nil {
		return nil
	}
	if l.Capabilities != nil {
		for _, name := range slices.Concat(l.Capabilities.Add, l.Capabilities.Drop) {
			if !slices.Contains(capabilities, name) {
				return refuse("Invalid capability '%s' for container '%s'.", name, c.Name)
			}
		}
	}
	for _, dev := range l.Devices {
		for i := range dev.Permissions {
			if err := check.OneOf("device permission", &dev.Permissions[i], "read", "write", "mknod"); err != nil {
				return err
			}
		}
	}
	for _, t := range l.Tmpfs {
		if t.ContainerPath == "" || t.Size < 1 {
			return setting("tmpfs", c)
		}
	}
	return within(c,
		span{"sharedMemorySize", l.SharedMemorySize, 1, maxTimeout},
		span{"maxSwap", l.MaxSwap, 0, maxTimeout},
		span{"swappiness", l.Swappiness, 0, 100},
	)
}

package taskdef

// Accelerator is an Elastic Inference accelerator.
type Accelerator struct {
	DeviceName string `json:"deviceName,omitzero" convert:"keep"`
	DeviceType string `json:"deviceType,omitzero" convert:"keep"`
}

// Attribute is what a container instance must have to run the definition.
type Attribute struct {
	Name       string  `json:"name,omitzero" convert:"keep"`
	TargetId   *string `json:"targetId,omitzero"`
	TargetType *string `json:"targetType,omitzero"`
	Value      *string `json:"value,omitzero"`
}

// Capabilities are Linux capabilities beyond or short of the runtime's default set.
type Capabilities struct {
	Add  []string `json:"add,omitzero"`
	Drop []string `json:"drop,omitzero"`
}

// Container describes one container of a task.
type Container struct {
	Command                []string               `json:"command,omitzero"`
	Cpu                    int32                  `json:"cpu,omitzero" convert:"keep"`
	CredentialSpecs        []string               `json:"credentialSpecs,omitzero"`
	DependsOn              []Dependency           `json:"dependsOn,omitzero"`
	DisableNetworking      *bool                  `json:"disableNetworking,omitzero"`
	DnsSearchDomains       []string               `json:"dnsSearchDomains,omitzero"`
	DnsServers             []string               `json:"dnsServers,omitzero"`
	DockerLabels           map[string]string      `json:"dockerLabels,omitzero"`
	DockerSecurityOptions  []string               `json:"dockerSecurityOptions,omitzero"`
	EntryPoint             []string               `json:"entryPoint,omitzero"`
	Environment            []Variable             `json:"environment,omitzero"`
	EnvironmentFiles       []EnvironmentFile      `json:"environmentFiles,omitzero"`
	Essential              bool                   `json:"essential,omitzero" convert:"keep"`
	ExtraHosts             []HostEntry            `json:"extraHosts,omitzero"`
	FirelensConfiguration  *Firelens              `json:"firelensConfiguration,omitzero"`
	HealthCheck            *HealthCheck           `json:"healthCheck,omitzero"`
	Hostname               *string                `json:"hostname,omitzero"`
	Image                  string                 `json:"image,omitzero"`
	Interactive            *bool                  `json:"interactive,omitzero"`
	Links                  []string               `json:"links,omitzero"`
	LinuxParameters        *LinuxParameters       `json:"linuxParameters,omitzero"`
	LogConfiguration       *Logging               `json:"logConfiguration,omitzero"`
	Memory                 *int32                 `json:"memory,omitzero"`
	MemoryReservation      *int32                 `json:"memoryReservation,omitzero"`
	MountPoints            []MountPoint           `json:"mountPoints,omitzero"`
	Name                   string                 `json:"name,omitzero"`
	PortMappings           []PortMapping          `json:"portMappings,omitzero"`
	Privileged             *bool                  `json:"privileged,omitzero"`
	PseudoTerminal         *bool                  `json:"pseudoTerminal,omitzero"`
	ReadonlyRootFilesystem *bool                  `json:"readonlyRootFilesystem,omitzero"`
	RepositoryCredentials  *RepositoryCredentials `json:"repositoryCredentials,omitzero"`
	ResourceRequirements   []Requirement          `json:"resourceRequirements,omitzero"`
	RestartPolicy          *RestartPolicy         `json:"restartPolicy,omitzero"`
	Secrets                []Secret               `json:"secrets,omitzero"`
	StartTimeout           *int32                 `json:"startTimeout,omitzero"`
	StopTimeout            *int32                 `json:"stopTimeout,omitzero"`
	SystemControls         []SystemControl        `json:"systemControls,omitzero"`
	Ulimits                []Ulimit               `json:"ulimits,omitzero"`
	User                   *string                `json:"user,omitzero"`
	VersionConsistency     *string                `json:"versionConsistency,omitzero"`
	VolumesFrom            []VolumeFrom           `json:"volumesFrom,omitzero"`
	WorkingDirectory       *string                `json:"workingDirectory,omitzero"`
}

// Dependency makes a container wait for another one of its task.
type Dependency struct {
	Condition     string `json:"condition,omitzero" convert:"keep"`
	ContainerName string `json:"containerName,omitzero" convert:"keep"`
}

// Device is a host device given to a container.
type Device struct {
	ContainerPath *string  `json:"containerPath,omitzero"`
	HostPath      string   `json:"hostPath,omitzero" convert:"keep"`
	Permissions   []string `json:"permissions,omitzero"`
}

// EnvironmentFile is an object in S3 with environment variables.
type EnvironmentFile struct {
	Type  string `json:"type,omitzero" convert:"keep"`
	Value string `json:"value,omitzero" convert:"keep"`
}

// EphemeralStorage is the size of a task's own storage.
type EphemeralStorage struct {
	SizeInGiB int32 `json:"sizeInGiB,omitzero" convert:"keep"`
}

// Firelens makes a container the log router of its task.
type Firelens struct {
	Options map[string]string `json:"options,omitzero"`
	Type    string            `json:"type,omitzero" convert:"keep"`
}

// HealthCheck is the command that tells whether a container is healthy; times are seconds.
type HealthCheck struct {
	Command     []string `json:"command,omitzero"`
	Interval    *int32   `json:"interval,omitzero"`
	Retries     *int32   `json:"retries,omitzero"`
	StartPeriod *int32   `json:"startPeriod,omitzero"`
	Timeout     *int32   `json:"timeout,omitzero"`
}

// HostEntry is a line of a container's /etc/hosts.
type HostEntry struct {
	Hostname  string `json:"hostname,omitzero" convert:"keep"`
	IpAddress string `json:"ipAddress,omitzero" convert:"keep"`
}

// LinuxParameters are Linux-specific options; sizes are MiB.
type LinuxParameters struct {
	Capabilities       *Capabilities `json:"capabilities,omitzero"`
	Devices            []Device      `json:"devices,omitzero"`
	InitProcessEnabled *bool         `json:"initProcessEnabled,omitzero"`
	MaxSwap            *int32        `json:"maxSwap,omitzero"`
	SharedMemorySize   *int32        `json:"sharedMemorySize,omitzero"`
	Swappiness         *int32        `json:"swappiness,omitzero"`
	Tmpfs              []Tmpfs       `json:"tmpfs,omitzero"`
}

// Logging says where a container's output goes.
type Logging struct {
	LogDriver     string            `json:"logDriver,omitzero" convert:"keep"`
	Options       map[string]string `json:"options,omitzero"`
	SecretOptions []Secret          `json:"secretOptions,omitzero"`
}

// MPS is a share of an NVIDIA GPU; memory is MiB.
type MPS struct {
	MaxComputePercent *int32 `json:"maxComputePercent,omitzero"`
	Memory            int32  `json:"memory,omitzero" convert:"keep"`
}

// MountPoint puts a volume of the task into a container.
type MountPoint struct {
	ContainerPath string `json:"containerPath,omitzero"`
	ReadOnly      *bool  `json:"readOnly,omitzero"`
	SourceVolume  string `json:"sourceVolume,omitzero"`
}

// PlacementConstraint limits the container instances a task may be placed on.
type PlacementConstraint struct {
	Expression *string `json:"expression,omitzero"`
	Type       *string `json:"type,omitzero"`
}

// PortMapping opens a port of a container.
type PortMapping struct {
	AppProtocol        *string `json:"appProtocol,omitzero"`
	ContainerPort      int32   `json:"containerPort,omitzero"`
	ContainerPortRange *string `json:"containerPortRange,omitzero"`
	HostPort           *int32  `json:"hostPort,omitzero"`
	Name               *string `json:"name,omitzero"`
	Protocol           string  `json:"protocol,omitzero"`
}

// Proxy is an App Mesh proxy.
type Proxy struct {
	ContainerName string     `json:"containerName,omitzero" convert:"keep"`
	Properties    []Variable `json:"properties,omitzero"`
	Type          *string    `json:"type,omitzero"`
}

// RepositoryCredentials names the secret with a private registry's credentials.
type RepositoryCredentials struct {
	CredentialsParameter string `json:"credentialsParameter,omitzero" convert:"keep"`
}

// Requirement is a device a container needs.
type Requirement struct {
	SharingStrategy *Sharing `json:"sharingStrategy,omitzero"`
	Type            string   `json:"type,omitzero" convert:"keep"`
	Value           string   `json:"value,omitzero" convert:"keep"`
}

// RestartPolicy restarts a container without its task; the period is seconds.
type RestartPolicy struct {
	Enabled              bool    `json:"enabled,omitzero" convert:"keep"`
	IgnoredExitCodes     []int32 `json:"ignoredExitCodes,omitzero"`
	RestartAttemptPeriod *int32  `json:"restartAttemptPeriod,omitzero"`
}

// RuntimePlatform is the operating system and processor a task needs.
type RuntimePlatform struct {
	CpuArchitecture       *string `json:"cpuArchitecture,omitzero"`
	OperatingSystemFamily *string `json:"operatingSystemFamily,omitzero"`
}

// Secret is a secret put into the environment or the log options.
type Secret struct {
	Name      string `json:"name,omitzero" convert:"keep"`
	ValueFrom string `json:"valueFrom,omitzero" convert:"keep"`
}

// Sharing says how a GPU is shared.
type Sharing struct {
	NvidiaMps *MPS `json:"nvidiaMps,omitzero"`
}

// SystemControl is a kernel parameter.
type SystemControl struct {
	Namespace *string `json:"namespace,omitzero"`
	Value     *string `json:"value,omitzero"`
}

// Tmpfs is a file system in memory; the size is MiB.
type Tmpfs struct {
	ContainerPath string   `json:"containerPath,omitzero" convert:"keep"`
	MountOptions  []string `json:"mountOptions,omitzero"`
	Size          int32    `json:"size,omitzero" convert:"keep"`
}

// Ulimit is a resource limit of a container's processes.
type Ulimit struct {
	HardLimit int32  `json:"hardLimit,omitzero" convert:"keep"`
	Name      string `json:"name,omitzero" convert:"keep"`
	SoftLimit int32  `json:"softLimit,omitzero" convert:"keep"`
}

// Variable is a name and a value.
type Variable struct {
	Name  string  `json:"name,omitzero" convert:"keep"`
	Value *string `json:"value,omitzero"`
}

// VolumeFrom mounts the volumes of another container.
type VolumeFrom struct {
	ReadOnly        *bool  `json:"readOnly,omitzero"`
	SourceContainer string `json:"sourceContainer,omitzero"`
}

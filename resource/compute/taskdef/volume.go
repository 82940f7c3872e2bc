package taskdef

// DockerVolume is a volume of a Docker volume driver.
type DockerVolume struct {
	Autoprovision *bool             `json:"autoprovision,omitzero"`
	Driver        *string           `json:"driver,omitzero"`
	DriverOpts    map[string]string `json:"driverOpts,omitzero"`
	Labels        map[string]string `json:"labels,omitzero"`
	Scope         *string           `json:"scope,omitzero"`
}

// EFSAuthorization says how an EFS file system is authorized.
type EFSAuthorization struct {
	AccessPointId *string `json:"accessPointId,omitzero"`
	Iam           *string `json:"iam,omitzero"`
}

// EFSVolume is an Amazon EFS file system.
type EFSVolume struct {
	AuthorizationConfig   *EFSAuthorization `json:"authorizationConfig,omitzero"`
	FileSystemId          string            `json:"fileSystemId,omitzero" convert:"keep"`
	RootDirectory         *string           `json:"rootDirectory,omitzero"`
	TransitEncryption     *string           `json:"transitEncryption,omitzero"`
	TransitEncryptionPort *int32            `json:"transitEncryptionPort,omitzero"`
}

// FSxAuthorization says how an FSx file system is authorized.
type FSxAuthorization struct {
	CredentialsParameter string `json:"credentialsParameter,omitzero" convert:"keep"`
	Domain               string `json:"domain,omitzero" convert:"keep"`
}

// FSxVolume is an FSx for Windows File Server file system.
type FSxVolume struct {
	AuthorizationConfig *FSxAuthorization `json:"authorizationConfig,omitzero"`
	FileSystemId        string            `json:"fileSystemId,omitzero" convert:"keep"`
	RootDirectory       string            `json:"rootDirectory,omitzero" convert:"keep"`
}

// HostPath is a path of a container instance.
type HostPath struct {
	SourcePath *string `json:"sourcePath,omitzero"`
}

// S3Volume is an Amazon S3 Files file system.
type S3Volume struct {
	AccessPointArn        *string `json:"accessPointArn,omitzero"`
	FileSystemArn         string  `json:"fileSystemArn,omitzero" convert:"keep"`
	RootDirectory         *string `json:"rootDirectory,omitzero"`
	TransitEncryptionPort *int32  `json:"transitEncryptionPort,omitzero"`
}

// Volume is a data volume of a task.
type Volume struct {
	ConfiguredAtLaunch                      *bool         `json:"configuredAtLaunch,omitzero"`
	DockerVolumeConfiguration               *DockerVolume `json:"dockerVolumeConfiguration,omitzero"`
	EfsVolumeConfiguration                  *EFSVolume    `json:"efsVolumeConfiguration,omitzero"`
	FsxWindowsFileServerVolumeConfiguration *FSxVolume    `json:"fsxWindowsFileServerVolumeConfiguration,omitzero"`
	Host                                    *HostPath     `json:"host,omitzero"`
	Name                                    string        `json:"name,omitzero"`
	S3filesVolumeConfiguration              *S3Volume     `json:"s3filesVolumeConfiguration,omitzero"`
}

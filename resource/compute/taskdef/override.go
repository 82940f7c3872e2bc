package taskdef

// Override is what a task changes of its definition, under the names of the ECS
// API's TaskOverride.
type Override struct {
	ContainerOverrides []ContainerOverride `json:"containerOverrides,omitzero"`
	Cpu                *string             `json:"cpu,omitzero"`
	EphemeralStorage   *EphemeralStorage   `json:"ephemeralStorage,omitzero"`
	ExecutionRoleArn   *string             `json:"executionRoleArn,omitzero"`
	Memory             *string             `json:"memory,omitzero"`
	TaskRoleArn        *string             `json:"taskRoleArn,omitzero"`
}

// ContainerOverride is what a task changes of one container.
type ContainerOverride struct {
	Command              []string          `json:"command,omitzero"`
	Cpu                  *int32            `json:"cpu,omitzero"`
	Environment          []Variable        `json:"environment,omitzero"`
	EnvironmentFiles     []EnvironmentFile `json:"environmentFiles,omitzero"`
	Memory               *int32            `json:"memory,omitzero"`
	MemoryReservation    *int32            `json:"memoryReservation,omitzero"`
	Name                 *string           `json:"name,omitzero"`
	ResourceRequirements []Requirement     `json:"resourceRequirements,omitzero"`
}

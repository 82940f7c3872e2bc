// Package taskdef holds the stored form of ECS task definitions and the task
// sizes of Fargate.
//
// Field names are those of the ECS API, so that a definition is copied to and
// from the wire by name. What a client may leave out is a pointer or a slice that
// keeps nil and empty apart; what is always there is a plain value.
package taskdef

import (
	"slices"
	"strconv"
	"time"

	"neargate/arn"
	"neargate/resource/compute"
)

// DeleteInProgress is the status of a definition that DeleteTaskDefinitions was
// asked to delete. The others are [compute.Active] and [compute.Inactive].
const DeleteInProgress = "DELETE_IN_PROGRESS"

// Definition is one revision of a task definition. After registration only its
// status, the times of its status and its tags change.
type Definition struct {
	Account, Region         string
	Compatibilities         []string              `json:"compatibilities,omitzero"`
	ContainerDefinitions    []Container           `json:"containerDefinitions,omitzero"`
	Cpu                     *string               `json:"cpu,omitzero"`
	DeleteRequestedAt       time.Time             `json:"deleteRequestedAt,omitzero"`
	DeregisteredAt          time.Time             `json:"deregisteredAt,omitzero"`
	EnableFaultInjection    *bool                 `json:"enableFaultInjection,omitzero"`
	EphemeralStorage        *EphemeralStorage     `json:"ephemeralStorage,omitzero"`
	ExecutionRoleArn        *string               `json:"executionRoleArn,omitzero"`
	Family                  string                `json:"family,omitzero"`
	InferenceAccelerators   []Accelerator         `json:"inferenceAccelerators,omitzero"`
	IpcMode                 *string               `json:"ipcMode,omitzero"`
	Memory                  *string               `json:"memory,omitzero"`
	NetworkMode             *string               `json:"networkMode,omitzero"`
	PidMode                 *string               `json:"pidMode,omitzero"`
	PlacementConstraints    []PlacementConstraint `json:"placementConstraints,omitzero"`
	ProxyConfiguration      *Proxy                `json:"proxyConfiguration,omitzero"`
	RegisteredAt            time.Time             `json:"registeredAt,omitzero"`
	RegisteredBy            string                `json:"registeredBy,omitzero"`
	RequiresAttributes      []Attribute           `json:"requiresAttributes,omitzero"`
	RequiresCompatibilities []string              `json:"requiresCompatibilities,omitzero"`
	Revision                int                   `json:"revision,omitzero"`
	RuntimePlatform         *RuntimePlatform      `json:"runtimePlatform,omitzero"`
	Status                  string                `json:"status,omitzero"`
	TaskRoleArn             *string               `json:"taskRoleArn,omitzero"`
	Volumes                 []Volume              `json:"volumes,omitzero"`
	Tags                    []compute.Tag         `json:"tags,omitzero"`
}

// Family counts the revisions of a task definition family. It outlives its
// revisions, so that no revision number is given out twice.
type Family struct {
	Account, Region, Name string
	Last                  int // the highest revision number given out
	Active                int // how many revisions are ACTIVE
	LatestActive          int // the highest ACTIVE revision; 0 when none is
}

// Status is ACTIVE while the family has an ACTIVE revision.
func (f *Family) Status() string {
	if f.Active > 0 {
		return compute.Active
	}
	return compute.Inactive
}

// ARN is the definition's Amazon Resource Name.
func (d *Definition) ARN() string { return ARN(d.Account, d.Region, d.Family, d.Revision) }

// ARN prints the ARN of a task definition revision.
func ARN(account, region, family string, revision int) string {
	return arn.New("ecs", region, account, "task-definition/"+family+":"+strconv.Itoa(revision))
}

// Container returns the container with the name, nil when there is none.
func (d *Definition) Container(name string) *Container {
	for i := range d.ContainerDefinitions {
		if d.ContainerDefinitions[i].Name == name {
			return &d.ContainerDefinitions[i]
		}
	}
	return nil
}

// HealthChecked reports whether an essential container has a health check.
func (d *Definition) HealthChecked() bool {
	return slices.ContainsFunc(d.ContainerDefinitions, func(c Container) bool { return c.Essential && c.HealthCheck != nil })
}

// Awsvpc reports whether tasks of the definition have network interfaces of
// their own.
func (d *Definition) Awsvpc() bool { return d.NetworkMode != nil && *d.NetworkMode == "awsvpc" }

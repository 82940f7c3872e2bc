package compute

import (
	"strings"
	"time"

	"neargate/arn"
)

// Service keeps a number of tasks running. Spec fields are written by the API,
// Deployments' progress by control/deploy.
type Service struct {
	Account, Region, Cluster, Name string
	Status                         string // ACTIVE, DRAINING, INACTIVE
	CreatedAt                      time.Time
	CreatedBy                      string
	DeletedAt                      time.Time `json:",omitzero"`
	ClientToken                    string    `json:",omitempty"`
	RequestHash                    string    `json:",omitempty"` // of the creating request, for idempotency
	Scheduling                     string    // REPLICA, DAEMON
	Desired                        int
	Definition                     string // task definition ARN of the primary deployment
	LaunchType                     string `json:",omitempty"`
	Strategy                       []StrategyItem
	PlatformVersion                string `json:",omitempty"` // as asked, e.g. LATEST
	PlatformFamily                 string `json:",omitempty"`
	Network                        *Network
	Rolling                        Rolling
	Breaker                        Breaker
	Controller                     string // deployment controller type: ECS
	GracePeriod                    int    // seconds
	PlacementConstraints           []Placement
	PlacementStrategy              []Placement
	ManagedTags                    bool
	PropagateTags                  string // NONE, SERVICE, TASK_DEFINITION
	EnableExec                     bool
	Rebalancing                    string // ENABLED, DISABLED
	Monitoring                     []byte `json:",omitempty"` // MonitoringConfiguration as JSON
	Role                           string `json:",omitempty"`
	Tags                           []Tag
	Deployments                    []Deployment // newest first; the first is PRIMARY
	SteadySince                    time.Time    `json:",omitzero"` // zero while not steady
	Backoff                        Backoff
	NextStart                      time.Time `json:",omitzero"`  // launch rate: no starts before
	LastEvent                      string    `json:",omitempty"` // last message that repeats while its cause lasts
	LastEventAt                    time.Time `json:",omitzero"`
}

// Rolling is the deployment configuration of a rolling update.
type Rolling struct {
	MaximumPercent        int
	MinimumHealthyPercent int
	BakeMinutes           int
}

// Breaker is the deployment circuit breaker of a service. It is never enabled.
type Breaker struct {
	Rollback           bool
	ResetOnHealthyTask bool
	ThresholdType      string // BOUNDED_PERCENT, UNBOUNDED_PERCENT, COUNT
	Threshold          int
}

// Placement is a placement constraint (Expression) or strategy (Field).
type Placement struct{ Type, Expression, Field string }

// Backoff delays starts after tasks that failed to start. Source: Amazon ECS
// service throttle logic.
type Backoff struct {
	Failures int       `json:",omitempty"` // starts that never reached RUNNING since one last did
	Full     []string  `json:",omitempty"` // zones that lacked capacity meanwhile
	Seen     time.Time `json:",omitzero"`  // StoppedAt of the last failure counted
	Until    time.Time `json:",omitzero"`  // no starts before
}

// Deployment is one rollout of a service.
type Deployment struct {
	ID              string // ecs-svc/<19 digits>
	Status          string // PRIMARY, ACTIVE, INACTIVE
	Rollout         string // IN_PROGRESS, COMPLETED, FAILED
	RolloutReason   string
	Definition      string // task definition ARN
	Desired         int    // what the scheduler aims at for this deployment
	Failed          int    // tasks that failed to start since the deployment began
	Checked         bool   // an essential container of the definition has a health check
	LaunchType      string `json:",omitempty"`
	Strategy        []StrategyItem
	PlatformVersion string `json:",omitempty"` // resolved
	PlatformFamily  string `json:",omitempty"`
	Network         *Network
	CreatedAt       time.Time
	UpdatedAt       time.Time
	FinishedAt      time.Time `json:",omitzero"`
	RecordID        string    // id of its service deployment record
}

// The rollout states and deployment statuses of ECS.
const (
	Primary    = "PRIMARY"
	InProgress = "IN_PROGRESS"
	Completed  = "COMPLETED"
	Failed     = "FAILED"
)

// ServiceEvent is a line of a service's event list.
type ServiceEvent struct {
	Account, Region, Cluster, Service string
	ID                                string // uuid
	At                                time.Time
	Message                           string
}

// ServiceDeployment records one deployment for ListServiceDeployments; it
// outlives the deployment's place in the service.
type ServiceDeployment struct {
	Account, Region, Cluster, Service, ID string   // ID: 21 base-62 characters
	DeploymentID                          string   // ecs-svc/<digits>; its digits are the target revision's id
	Source                                []string // revision ids that were running before
	Status                                string   // PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, …
	Reason                                string
	CreatedAt, StartedAt, UpdatedAt       time.Time
	FinishedAt                            time.Time `json:",omitzero"`
	Rolling                               Rolling
	Breaker                               Breaker
}

// ServiceRevision is the immutable workload configuration of a deployment.
type ServiceRevision struct {
	Account, Region, Cluster, Service, ID string // ID: the digits of the deployment id
	CreatedAt                             time.Time
	Definition                            string
	LaunchType                            string `json:",omitempty"`
	Strategy                              []StrategyItem
	PlatformVersion, PlatformFamily       string `json:",omitempty"`
	Network                               *Network
	Images                                []ContainerSpec // Name and Image only
	Monitoring                            []byte          `json:",omitempty"`
	First                                 bool            // the service's first revision
}

// ARN is the service's Amazon Resource Name, long form.
func (s *Service) ARN() string {
	return arn.New("ecs", s.Region, s.Account, "service/"+s.Cluster+"/"+s.Name)
}

// ClusterARN is the ARN of the service's cluster.
func (s *Service) ClusterARN() string { return ClusterARN(s.Account, s.Region, s.Cluster) }

// Compute is the launch type the service's tasks run on, also when a capacity
// provider strategy chooses it.
func (s *Service) Compute() string {
	switch {
	case s.LaunchType != "":
		return s.LaunchType
	case len(s.Strategy) > 0 && (s.Strategy[0].Provider == Fargate || s.Strategy[0].Provider == FargateSpot):
		return Fargate
	}
	return "EC2"
}

// PrimaryDeployment returns the deployment being rolled out, nil before the first.
func (s *Service) PrimaryDeployment() *Deployment {
	if len(s.Deployments) == 0 {
		return nil
	}
	return &s.Deployments[0]
}

// RevisionID is the number in the deployment's id and in its revision's ARN.
func (d *Deployment) RevisionID() string { return strings.TrimPrefix(d.ID, "ecs-svc/") }

// ARN is the service deployment's Amazon Resource Name.
func (d *ServiceDeployment) ARN() string {
	return arn.New("ecs", d.Region, d.Account, "service-deployment/"+d.Cluster+"/"+d.Service+"/"+d.ID)
}

// TargetID is the id of the revision the deployment rolls out.
func (d *ServiceDeployment) TargetID() string { return strings.TrimPrefix(d.DeploymentID, "ecs-svc/") }

// RevisionARN prints the ARN of a revision of the service.
func (s *Service) RevisionARN(id string) string {
	return arn.New("ecs", s.Region, s.Account, "service-revision/"+s.Cluster+"/"+s.Name+"/"+id)
}

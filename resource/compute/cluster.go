// Package compute holds the stored records of Amazon ECS: clusters, services,
// deployments, tasks, container instances and account settings, with the pure
// derivations everybody needs of them. Task definitions are in
// resource/compute/taskdef.
package compute

import (
	"time"

	"neargate/arn"
)

// Tag is a key and a value attached to a resource.
type Tag struct{ Key, Value string }

// Setting is a named cluster setting such as containerInsights.
type Setting struct{ Name, Value string }

// Cluster is an ECS cluster. A deleted one stays INACTIVE until it expires.
type Cluster struct {
	Account, Region, Name string
	Status                string // ACTIVE, INACTIVE
	CreatedAt             time.Time
	DeletedAt             time.Time `json:",omitzero"`
	Settings              []Setting
	Configuration         []byte   `json:",omitempty"` // ClusterConfiguration as JSON of the wire form
	CapacityProviders     []string `json:",omitempty"`
	DefaultStrategy       []StrategyItem
	ServiceConnect        string `json:",omitempty"` // namespace of serviceConnectDefaults
	Tags                  []Tag
}

// Statuses of clusters and services.
const (
	Active   = "ACTIVE"
	Draining = "DRAINING"
	Inactive = "INACTIVE"
)

// ARN is the cluster's Amazon Resource Name.
func (c *Cluster) ARN() string { return ClusterARN(c.Account, c.Region, c.Name) }

// ClusterARN prints the ARN of a cluster.
func ClusterARN(account, region, name string) string {
	return arn.New("ecs", region, account, "cluster/", name)
}

// StrategyItem is one element of a capacity provider strategy.
type StrategyItem struct {
	Provider     string
	Base, Weight int
}

// The capacity providers every account has.
const (
	Fargate     = "FARGATE"
	FargateSpot = "FARGATE_SPOT"
)

// Instance is a registered container instance of the EC2 or EXTERNAL launch type.
type Instance struct {
	Account, Region, Cluster, ID string
	EC2ID                        string
	Status                       string // ACTIVE, DRAINING, REGISTERING, DEREGISTERING, REGISTRATION_FAILED, INACTIVE
	StatusReason                 string `json:",omitempty"`
	External                     bool
	AgentConnected               bool
	Version                      int64
	RegisteredAt                 time.Time
	Registered, Remaining        []Amount
	Attributes                   []Attribute
	AgentVersion, AgentHash      string `json:",omitempty"`
	DockerVersion                string `json:",omitempty"`
	CapacityProvider             string `json:",omitempty"`
	Tags                         []Tag
}

// ARN is the container instance's Amazon Resource Name.
func (i *Instance) ARN() string {
	return arn.New("ecs", i.Region, i.Account, "container-instance/"+i.Cluster+"/"+i.ID)
}

// Amount is a resource of a container instance, as ECS describes it.
type Amount struct {
	Name, Type string // Type: INTEGER, DOUBLE, LONG, STRINGSET
	Integer    int32
	Long       int64
	Double     float64
	Set        []string `json:",omitempty"`
}

// Attribute is a custom or built-in attribute of a container instance or a task.
type Attribute struct {
	Name  string
	Value *string `json:",omitempty"`
}

// AccountSetting is one account setting of a principal; Principal "" is the
// account's default (PutAccountSettingDefault).
type AccountSetting struct {
	Account, Region, Principal, Name, Value string
}

// Package ref reads the names, ids and ARNs by which ECS requests point at
// clusters, services, tasks, container instances and task definitions. It is pure:
// whether the thing exists is for the caller to find out.
package ref

import (
	"fmt"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
)

// DefaultCluster is the cluster of a request that names none.
const DefaultCluster = "default"

// Tenant is the account and region a request is addressed to.
type Tenant struct{ Account, Region string }

// Of returns the caller's tenant.
func Of(c auth.Caller) Tenant { return Tenant{c.Account, c.Region} }

// Principal is the identity account settings belong to: the user, the role behind
// an assumed role, or "" for the root user, whose settings are the account's
// defaults.
func Principal(caller string) string {
	a, err := arn.Parse(caller)
	if err != nil || a.Resource == "root" {
		return ""
	}
	path := a.Path()
	if a.Service == "sts" && path[0] == "assumed-role" && len(path) > 1 {
		a.Service, a.Resource = "iam", "role/"+path[1]
	}
	return a.String()
}

const namePattern = `^[a-zA-Z0-9\-_]{1,255}$`

// ValidName reports whether s can name a cluster, service, container or task
// definition family: whether it matches namePattern.
func ValidName(s string) bool {
	return 1 <= len(s) && len(s) <= 255 && strings.IndexFunc(s, func(r rune) bool { return !inID(r) && r != '_' }) < 0
}

// inID reports whether a character may be in an id: a letter, a digit or a hyphen.
func inID(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-'
}

// CheckName refuses what ValidName does not accept.
func CheckName(what, s string) error {
	if ValidName(s) {
		return nil
	}
	return ecs.InvalidParameterException(fmt.Sprintf("%s must match %s, but was %s", what, namePattern, s))
}

// Cluster returns the name of the cluster that s, a name or an ARN, points at; nil
// is the default cluster.
func (t Tenant) Cluster(s *string) (string, error) {
	if s == nil {
		return DefaultCluster, nil
	}
	name := *s
	if arn.Is(name) {
		parts, err := t.resource(name, "cluster")
		if err != nil {
			return "", err
		}
		if len(parts) != 1 {
			return "", badARN()
		}
		name = parts[0]
	}
	return name, CheckName("Cluster", name)
}

// Service returns the name of the service that s, a name or a long or short ARN,
// points at. A long ARN must be of the cluster.
func (t Tenant) Service(cluster, s string) (string, error) {
	name, err := t.member(cluster, s, "service")
	if err != nil {
		return "", err
	}
	return name, CheckName("Service", name)
}

// Task returns the id of the task that s, an id or a long or short ARN, points at.
// A long ARN must be of the cluster.
func (t Tenant) Task(cluster, s string) (string, error) {
	return t.id(cluster, s, "task", "taskId")
}

// Instance returns the id of the container instance that s, an id or a long or
// short ARN, points at. A long ARN must be of the cluster.
func (t Tenant) Instance(cluster, s string) (string, error) {
	return t.id(cluster, s, "container-instance", "Container instance")
}

func (t Tenant) id(cluster, s, kind, label string) (string, error) {
	id, err := t.member(cluster, s, kind)
	if err != nil {
		return "", err
	}
	if len(id) != 32 && len(id) != 36 {
		return "", ecs.InvalidParameterException(label + " length should be one of [32,36]")
	}
	if strings.ContainsFunc(id, func(r rune) bool { return !inID(r) }) {
		return "", ecs.InvalidParameterException("Invalid identifier: " + id)
	}
	return id, nil
}

// member reads a reference to something inside a cluster: "x",
// "arn:…:kind/x" or "arn:…:kind/cluster/x".
func (t Tenant) member(cluster, s, kind string) (string, error) {
	if !arn.Is(s) {
		return s, nil
	}
	parts, err := t.resource(s, kind)
	if err != nil {
		return "", err
	}
	switch {
	case len(parts) == 1:
		return parts[0], nil
	case len(parts) != 2:
		return "", badARN()
	case parts[0] != cluster:
		return "", ecs.InvalidParameterException(fmt.Sprintf(
			"Invalid identifier: Identifier is for cluster %s. Your cluster is %s", parts[0], cluster))
	}
	return parts[1], nil
}

// resource parses an ECS ARN of the tenant and returns what follows its kind.
func (t Tenant) resource(s, kind string) ([]string, error) {
	a, err := arn.Parse(s)
	if err != nil || a.Service != "ecs" {
		return nil, badARN()
	}
	if a.Region != t.Region {
		return nil, ecs.InvalidParameterException("Invalid Region in ARN")
	}
	if a.Account != t.Account {
		return nil, ecs.InvalidParameterException(fmt.Sprintf(
			"Invalid identifier: Identifier is for %s. Your accountId is %s", a.Account, t.Account))
	}
	parts := a.Path()
	if a.Partition != arn.Partition(t.Region) || parts[0] != kind || len(parts) < 2 {
		return nil, badARN()
	}
	return parts[1:], nil
}

// Definition points at a task definition; Revision 0 means that none was given.
type Definition struct {
	Family   string
	Revision int
}

// Definition reads family, family:revision or the ARN of a task definition.
func (t Tenant) Definition(s string) (Definition, error) {
	name := s
	if arn.Is(s) {
		parts, err := t.resource(s, "task-definition")
		if err != nil {
			return Definition{}, err
		}
		if len(parts) != 1 {
			return Definition{}, badARN()
		}
		name = parts[0]
	}
	family, rev, given := strings.Cut(name, ":")
	if !ValidName(family) {
		return Definition{}, ecs.ClientException("Family contains invalid characters.")
	}
	if !given {
		return Definition{Family: family}, nil
	}
	n, err := strconv.ParseInt(rev, 10, 32)
	if err != nil || n < 1 || rev[0] == '+' {
		return Definition{}, ecs.InvalidParameterException("Invalid task definition: Invalid revision number.")
	}
	return Definition{family, int(n)}, nil
}

func badARN() error { return ecs.InvalidParameterException("Invalid arn syntax.") }

// Package lookup finds what ECS requests point at, with ECS's errors for what is
// not there.
package lookup

import (
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
)

// Cluster returns the ACTIVE cluster that s points at, nil being the default one,
// or ClusterNotFoundException.
func Cluster(tx store.Tx, t ref.Tenant, s *string) (compute.Cluster, error) {
	name, err := t.Cluster(s)
	if err != nil {
		return compute.Cluster{}, err
	}
	c, ok, err := tables.Clusters.Find(tx, t.Account, t.Region, name)
	if err == nil && (!ok || c.Status != compute.Active) {
		err = ecs.ClusterNotFoundException("Cluster not found.")
	}
	return c, err
}

// Definition returns the task definition that d points at; without a revision
// that is the family's latest ACTIVE one. A definition of any status is found by
// its revision.
func Definition(tx store.Tx, t ref.Tenant, d ref.Definition) (def taskdef.Definition, ok bool, err error) {
	if d.Revision == 0 {
		f, ok, err := tables.Families.Find(tx, t.Account, t.Region, d.Family)
		if err != nil || !ok || f.LatestActive == 0 {
			return def, false, err
		}
		d.Revision = f.LatestActive
	}
	return tables.TaskDefinitions.Find(tx, t.Account, t.Region, d.Family, tables.Number(d.Revision))
}

// Counts are the numbers of tasks of a cluster that ECS shows as running and as
// pending, by launch type.
type Counts struct{ Running, Pending map[string]int }

// launchTypes are the launch types tasks are counted by.
var launchTypes = []string{"EC2", "FARGATE", "EXTERNAL"}

// Tasks counts the tasks of a cluster without reading them.
func Tasks(tx store.Tx, c *compute.Cluster) Counts {
	n := Counts{map[string]int{}, map[string]int{}}
	count := func(launchType string, phases ...compute.Phase) (sum int) {
		for _, p := range phases {
			sum += tables.Tasks.CountBy(tx, tables.TasksByState, c.Account, c.Region, c.Name, launchType, string(p))
		}
		return sum
	}
	for _, l := range launchTypes {
		n.Running[l] = count(l, compute.PhaseUnhealthy, compute.PhaseWarming, compute.PhaseRunning)
		n.Pending[l] = count(l, compute.PhaseStarting)
	}
	return n
}

// Sum adds up the counts of all launch types.
func Sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// Instance returns the container instance of the cluster that s points at.
func Instance(tx store.Tx, t ref.Tenant, cluster, s string) (i compute.Instance, ok bool, err error) {
	id, err := t.Instance(cluster, s)
	if err != nil {
		return i, false, err
	}
	return tables.Instances.Find(tx, t.Account, t.Region, cluster, id)
}

// Setting returns the account setting that holds for a principal (see
// [ref.Principal]): its own, else the account's default; ok is false when neither
// was set.
func Setting(tx store.Tx, t ref.Tenant, principal, name string) (s compute.AccountSetting, ok bool, err error) {
	for _, p := range []string{principal, ""} {
		if s, ok, err = tables.AccountSettings.Find(tx, t.Account, t.Region, name, p); ok || err != nil {
			return s, ok, err
		}
	}
	return s, false, nil
}

package lookup

import (
	"neargate/resource/compute"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// running are the phases of tasks that ECS counts as running.
var running = []compute.Phase{compute.PhaseUnhealthy, compute.PhaseWarming, compute.PhaseRunning}

// Deployments counts the tasks of a service by deployment, without reading them.
func Deployments(tx store.Tx, s *compute.Service) map[string]view.Count {
	counts := map[string]view.Count{}
	for i := range s.Deployments {
		id := s.Deployments[i].ID
		count := func(p compute.Phase) int {
			return tables.Tasks.CountBy(tx, tables.TasksByService, s.Account, s.Region, s.Cluster, s.Name, id, string(p))
		}
		n := view.Count{Pending: count(compute.PhaseStarting)}
		for _, p := range running {
			n.Running += count(p)
		}
		counts[id] = n
	}
	return counts
}

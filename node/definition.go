package node

import (
	"time"

	"neargate/node/task"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// specOf is what the life cycle of a task depends on. A task whose definition is
// gone is known by what the task itself says.
func specOf(t *compute.Task, def *taskdef.Definition) task.Spec {
	spec := task.Spec{ID: t.ID}
	index := map[string]int{}
	for i, c := range t.Spec.Containers {
		index[c.Name] = i
	}
	for _, c := range t.Spec.Containers {
		to := task.Container{
			Name: c.Name, Essential: c.Essential, HealthCheck: c.HealthCheck,
			StopTimeout: task.DefaultStopTimeout,
		}
		if d := def.Container(c.Name); d != nil {
			to.StartTimeout = seconds(d.StartTimeout, 0)
			to.StopTimeout = seconds(d.StopTimeout, task.DefaultStopTimeout)
			if r := d.RestartPolicy; r != nil {
				to.Restart = task.Restart{
					Enabled: r.Enabled, Ignored: r.IgnoredExitCodes, Period: seconds(r.RestartAttemptPeriod, task.DefaultRestartPeriod),
				}
			}
			for _, dep := range d.DependsOn {
				if i, ok := index[dep.ContainerName]; ok {
					to.DependsOn = append(to.DependsOn, task.Dependency{Container: i, Condition: task.Condition(dep.Condition)})
				}
			}
		}
		spec.Containers = append(spec.Containers, to)
	}
	return spec
}

func seconds(n *int32, otherwise time.Duration) time.Duration {
	if n == nil {
		return otherwise
	}
	return time.Duration(*n) * time.Second
}

package sim

import (
	"fmt"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/store"
	"neargate/store/tables"
)

// webDefinition is what services run: one container that starts and stays.
func webDefinition() taskdef.Definition {
	return taskdef.Definition{
		Account: Account, Region: Region, Family: "web", Revision: 1, Status: compute.Active,
		Cpu: new("256"), Memory: new("512"), NetworkMode: new("awsvpc"),
		ContainerDefinitions: []taskdef.Container{{Name: "web", Image: "web", Essential: true}},
	}
}

// Services makes n services of some tasks each, with different deployment
// configurations. The load scales them and rolls them out anew.
func (w *World) Services(n int) {
	def := webDefinition()
	rolling := []compute.Rolling{
		{MaximumPercent: 200, MinimumHealthyPercent: 100},
		{MaximumPercent: 100, MinimumHealthyPercent: 50},
		{MaximumPercent: 150, MinimumHealthyPercent: 100},
	}
	for i := range n {
		s := compute.Service{
			Account: Account, Region: Region, Cluster: Cluster, Name: fmt.Sprint("service", i), Status: compute.Active,
			CreatedAt: w.Now, Scheduling: "REPLICA", Desired: 1 + w.rand.IntN(10), Definition: def.ARN(),
			LaunchType: compute.Fargate, Rolling: rolling[i%len(rolling)], PropagateTags: "NONE",
		}
		w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
			if err := tables.TaskDefinitions.Put(tx, &def); err != nil {
				return err
			}
			return w.roll(tx, s)
		}))
		w.load.services = append(w.load.services, s.Name)
	}
}

// roll gives a service a new primary deployment and writes both.
func (w *World) roll(tx store.Tx, s compute.Service) error {
	id := w.ids.Digits(19)
	d := compute.Deployment{
		ID: "ecs-svc/" + id, Status: compute.Primary, Rollout: compute.InProgress, Definition: s.Definition,
		LaunchType: compute.Fargate, PlatformVersion: "1.4.0", RecordID: w.ids.Base62(21), CreatedAt: w.Now, UpdatedAt: w.Now,
		Network: &compute.Network{Subnets: w.load.subnets[:3], AssignPublicIP: "DISABLED"},
	}
	all := []compute.Deployment{d}
	for _, old := range s.Deployments {
		old.Status = compute.Active
		all = append(all, old)
	}
	s.Deployments = all
	record := compute.ServiceDeployment{Account: Account, Region: Region, Cluster: Cluster, Service: s.Name,
		ID: d.RecordID, DeploymentID: d.ID, Status: "PENDING", CreatedAt: w.Now}
	if err := tables.ServiceDeployments.Put(tx, &record); err != nil {
		return err
	}
	return tables.Services.Put(tx, &s)
}

// changeService scales a service or rolls it out anew.
func (w *World) changeService() {
	if len(w.load.services) == 0 {
		return
	}
	name := w.load.services[w.rand.IntN(len(w.load.services))]
	scale, desired := w.rand.IntN(2) == 0, w.rand.IntN(12)
	w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
		s, err := tables.Services.Get(tx, Account, Region, Cluster, name)
		if err != nil {
			return err
		}
		if scale {
			s.Desired = desired
			return tables.Services.Put(tx, &s)
		}
		return w.roll(tx, s)
	}))
}

// DeleteServices deletes every service by force.
func (w *World) DeleteServices() {
	for _, name := range w.load.services {
		w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
			s, err := tables.Services.Get(tx, Account, Region, Cluster, name)
			if err != nil {
				return err
			}
			s.Status, s.Desired, s.DeletedAt = compute.Draining, 0, w.Now
			return tables.Services.Put(tx, &s)
		}))
	}
	w.load.services = nil
}

// service follows a service's record.
func (c *checker) service(e store.Event) error {
	if e.Val == nil {
		delete(c.services, e.Key)
		return nil
	}
	s, err := tables.Services.Decode(e.Val)
	c.services[e.Key] = s
	return err
}

// started checks that a commit that starts tasks of a service leaves it within its
// maximum percent.
func (c *checker) started(name string) error {
	s, ok := c.services[store.Key(tables.Services.Name, Account, Region, Cluster, name)]
	if most := s.Desired * s.Rolling.MaximumPercent / 100; !ok || c.active[name] > most {
		return fmt.Errorf("service %s started tasks up to %d, with %d desired and at most %d allowed", name, c.active[name], s.Desired, most)
	}
	return nil
}

// steady checks that the services have what is wanted of them. A rollout whose
// percents leave room neither to start nor to stop a task stands still, as in ECS.
func (c *checker) steady() error {
	for _, s := range c.services {
		if s.Status != compute.Active {
			continue
		}
		most, least := s.Desired*s.Rolling.MaximumPercent/100, (s.Desired*s.Rolling.MinimumHealthyPercent+99)/100
		complete := len(s.Deployments) == 1 && s.Deployments[0].Rollout == compute.Completed
		if n := c.active[s.Name]; n != s.Desired || !complete && (most > s.Desired || least < s.Desired) {
			return fmt.Errorf("service %s has %d of %d tasks and deployments %+v", s.Name, n, s.Desired, s.Deployments)
		}
	}
	return nil
}

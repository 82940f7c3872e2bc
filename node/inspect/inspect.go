// Package inspect tells a task what it is and what it uses: it gathers from the
// store and from the host what the metadata endpoint shows.
package inspect

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"neargate/node/metadata"
	"neargate/node/sandbox"
	"neargate/node/usage"
	"neargate/node/vpc"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/tables"
)

// lookWithin bounds a look into the store.
const lookWithin = 2 * time.Second

// Inspector is a metadata.Source of the tasks of a host.
type Inspector struct {
	store  store.Store
	keeper *vpc.Keeper
	meter  sandbox.Meter
	spaces func(eni string) string

	mu       sync.Mutex
	samplers map[string]*usage.Sampler // by task; of tasks that asked
}

var _ metadata.Source = (*Inspector)(nil)

// New inspects tasks whose interfaces keeper has and whose sandboxes meter
// measures; spaces is the file of an interface's network namespace.
func New(st store.Store, keeper *vpc.Keeper, meter sandbox.Meter, spaces func(eni string) string) *Inspector {
	return &Inspector{store: st, keeper: keeper, meter: meter, spaces: spaces, samplers: map[string]*usage.Sampler{}}
}

// Find implements metadata.Source.
func (i *Inspector) Find(id string, addr netip.Addr) (metadata.View, bool) {
	k, ok := i.keeper.Find(id, addr)
	if !ok {
		return metadata.View{}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookWithin)
	defer cancel()
	var v metadata.View
	err := i.store.View(ctx, func(tx store.Tx) (err error) {
		v, err = view(tx, k)
		return err
	})
	if err != nil {
		return metadata.View{}, false
	}
	t := v.Task
	v.Stats = i.sampler(&t).Pair
	v.Disk = func(ctx context.Context) (uint64, error) {
		s, err := i.meter.Stats(ctx, t.ID)
		return s.Disk.Used, err
	}
	return v, true
}

// view is what the store says of a task.
func view(tx store.Tx, k vpc.TaskKey) (v metadata.View, err error) {
	if v.Task, err = tables.Tasks.Get(tx, k.Account, k.Region, k.Cluster, k.ID); err != nil {
		return v, err
	}
	t := &v.Task
	if v.Definition, err = tables.TaskDefinitions.Get(tx, k.Account, k.Region, t.Spec.Family, tables.Number(t.Spec.Revision)); err != nil {
		return v, err
	}
	for _, c := range t.State.Containers {
		v.Containers = append(v.Containers, containerOf(t, &c))
	}
	subnet, err := tables.Subnets.Get(tx, k.Account, k.Region, t.Attachment.Subnet)
	if err != nil {
		return v, err
	}
	v.ZoneID = subnet.ZoneID
	record, err := tables.Vpcs.Get(tx, k.Account, k.Region, subnet.Vpc)
	if err != nil {
		return v, err
	}
	options, _, err := tables.DhcpOptions.Find(tx, k.Account, k.Region, record.DhcpOptions)
	if err != nil {
		return v, err
	}
	names, err := record.Naming(&options)
	if err != nil {
		return v, err
	}
	v.Network.Search, v.Network.Nameservers = names.Search, names.Servers
	for _, b := range subnet.IPv6 {
		if v.Network.SubnetIPv6, err = netip.ParsePrefix(b.CIDR); err != nil {
			return v, err
		}
	}
	v.Network.Subnet, err = netip.ParsePrefix(subnet.CIDR)
	return v, err
}

// containerOf is what is known of a container. Containers are made as soon as the
// images of the task are there.
func containerOf(t *compute.Task, c *compute.ContainerState) metadata.Container {
	m := metadata.Container{
		ID: c.RuntimeID, CreatedAt: t.State.PullStoppedAt, StartedAt: c.StartedAt, Restarts: c.Restarts,
		Health: metadata.Health{Since: c.StartedAt},
	}
	if c.Last == compute.Stopped {
		m.FinishedAt = t.State.ExecutionStoppedAt
	}
	return m
}

// sampler is the one of a task. Those of tasks that are no more go when another
// comes.
func (i *Inspector) sampler(t *compute.Task) *usage.Sampler {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.samplers[t.ID]
	if s == nil {
		if len(i.samplers) >= maxSamplers {
			clear(i.samplers)
		}
		id, space := t.ID, i.spaces(t.Attachment.ENI)
		s = usage.NewSampler(func(ctx context.Context) (usage.Figures, error) { return i.figures(ctx, id, space) })
		i.samplers[id] = s
	}
	return s
}

// maxSamplers bounds what is kept for tasks that asked once.
const maxSamplers = 4096

// figures is what a task has used by now.
func (i *Inspector) figures(ctx context.Context, task, space string) (f usage.Figures, err error) {
	s, err := i.meter.Stats(ctx, task)
	if err != nil {
		return f, err
	}
	f.Containers = map[string]usage.Container{}
	for name, u := range s.Containers {
		f.Containers[name] = usage.Container{
			CPU: time.Duration(u.CPU), Memory: u.Memory, Cache: u.Cache, MaxMemory: u.MaxMemory, Limit: u.MemoryLimit, Processes: u.Processes,
		}
	}
	if f.Networks, err = usage.ReadNetwork(space); err != nil {
		return f, err
	}
	f.Host, err = usage.ReadHost()
	return f, err
}

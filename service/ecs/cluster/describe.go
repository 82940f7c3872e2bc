package cluster

import (
	"context"
	"encoding/json"
	"strconv"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/strategy"
	"neargate/service/ecs/internal/tag"
	"neargate/store"
	"neargate/store/tables"
)

// include says which parts of a cluster an answer shows.
type include struct{ attachments, configuration, settings, statistics, tags bool }

// everything is what a new cluster's answer shows; statistics are not part of it.
var everything = include{configuration: true, settings: true, tags: true}

// view shows a cluster as answers have it.
func view(tx store.Tx, c *compute.Cluster, inc include) ecs.Cluster {
	tasks := lookup.Tasks(tx, c)
	services := tables.Services.CountBy(tx, tables.ServicesByActivity, c.Account, c.Region, c.Name, compute.Active)
	w := ecs.Cluster{
		ClusterArn: new(c.ARN()), ClusterName: &c.Name, Status: &c.Status,
		ActiveServicesCount:               new(int32(services)),
		RegisteredContainerInstancesCount: new(int32(instances(tx, c))),
		RunningTasksCount:                 new(int32(lookup.Sum(tasks.Running))),
		PendingTasksCount:                 new(int32(lookup.Sum(tasks.Pending))),
		CapacityProviders:                 append([]string{}, c.CapacityProviders...),
		DefaultCapacityProviderStrategy:   strategy.Show(c.DefaultStrategy),
		Settings:                          []ecs.ClusterSetting{},
		Statistics:                        []ecs.KeyValuePair{},
		Tags:                              []ecs.Tag{},
	}
	if inc.settings {
		for _, s := range c.Settings {
			w.Settings = append(w.Settings, ecs.ClusterSetting{Name: &s.Name, Value: &s.Value})
		}
	}
	if inc.configuration && c.Configuration != nil {
		w.Configuration = new(ecs.ClusterConfiguration)
		if err := json.Unmarshal(c.Configuration, w.Configuration); err != nil {
			w.Configuration = nil // readConfiguration wrote it
		}
	}
	if inc.statistics {
		w.Statistics = statistics(tx, c, tasks)
	}
	if inc.tags {
		w.Tags = tag.Show(c.Tags)
	}
	if inc.attachments && len(c.CapacityProviders) > 0 {
		w.Attachments, w.AttachmentsStatus = []ecs.Attachment{}, new("UPDATE_COMPLETE")
	}
	return w
}

// instances counts the registered container instances.
func instances(tx store.Tx, c *compute.Cluster) (n int) {
	for _, status := range []string{compute.Active, compute.Draining} {
		n += tables.Instances.CountBy(tx, tables.InstancesByStatus, c.Account, c.Region, c.Name, status)
	}
	return n
}

// statistics are the sixteen counts of a cluster in ECS's order: for each kind of
// compute tasks running and pending, then services active and draining.
func statistics(tx store.Tx, c *compute.Cluster, tasks lookup.Counts) []ecs.KeyValuePair {
	services := func(status, on string) int {
		return tables.Services.CountBy(tx, tables.ServicesByCompute, c.Account, c.Region, c.Name, status, on)
	}
	var out []ecs.KeyValuePair
	pair := func(name string, n int) {
		out = append(out, ecs.KeyValuePair{Name: &name, Value: new(strconv.Itoa(n))})
	}
	pair("runningEC2TasksCount", tasks.Running["EC2"])
	pair("runningFargateTasksCount", tasks.Running["FARGATE"])
	pair("pendingEC2TasksCount", tasks.Pending["EC2"])
	pair("pendingFargateTasksCount", tasks.Pending["FARGATE"])
	pair("runningExternalTasksCount", tasks.Running["EXTERNAL"])
	pair("pendingExternalTasksCount", tasks.Pending["EXTERNAL"])
	pair("runningManagedInstancesTasksCount", tasks.Running["MANAGED_INSTANCES"])
	pair("pendingManagedInstancesTasksCount", tasks.Pending["MANAGED_INSTANCES"])
	pair("activeEC2ServiceCount", services(compute.Active, "EC2"))
	pair("activeFargateServiceCount", services(compute.Active, "FARGATE"))
	pair("drainingEC2ServiceCount", services(compute.Draining, "EC2"))
	pair("drainingFargateServiceCount", services(compute.Draining, "FARGATE"))
	pair("activeExternalServiceCount", services(compute.Active, "EXTERNAL"))
	pair("drainingExternalServiceCount", services(compute.Draining, "EXTERNAL"))
	pair("activeManagedInstancesServiceCount", services(compute.Active, "MANAGED_INSTANCES"))
	pair("drainingManagedInstancesServiceCount", services(compute.Draining, "MANAGED_INSTANCES"))
	return out
}

// DescribeClusters describes clusters of any status. What to include is checked
// only when a cluster was found, as on AWS.
func (h *Handler) DescribeClusters(ctx context.Context, in *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
	if err := check.AtMost("clusters", len(in.Clusters), 100); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	names := []string{ref.DefaultCluster}
	if len(in.Clusters) > 0 {
		names = nil
	}
	for _, s := range in.Clusters {
		name, err := t.Cluster(&s)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	var out *ecs.DescribeClustersOutput
	err := h.deps.Store.View(ctx, func(tx store.Tx) error {
		out = &ecs.DescribeClustersOutput{Clusters: []ecs.Cluster{}, Failures: []ecs.Failure{}}
		for _, name := range names {
			c, ok, err := tables.Clusters.Find(tx, t.Account, t.Region, name)
			if err != nil {
				return err
			}
			if !ok {
				out.Failures = append(out.Failures, ecs.Failure{Arn: new(compute.ClusterARN(t.Account, t.Region, name)), Reason: new("MISSING")})
				continue
			}
			inc, err := readInclude(in.Include)
			if err != nil {
				return err
			}
			out.Clusters = append(out.Clusters, view(tx, &c, inc))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func readInclude(words []string) (inc include, err error) {
	for _, word := range words {
		switch word {
		case "ATTACHMENTS":
			inc.attachments = true
		case "CONFIGURATIONS":
			inc.configuration = true
		case "SETTINGS":
			inc.settings = true
		case "STATISTICS":
			inc.statistics = true
		case "TAGS":
			inc.tags = true
		default:
			return inc, ecs.InvalidParameterException("include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]")
		}
	}
	return inc, nil
}

// ListClusters lists the ARNs of ACTIVE clusters by name.
func (h *Handler) ListClusters(ctx context.Context, in *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
	size, err := check.PageSize(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	scope := []string{c.Account, c.Region, "ListClusters"}
	last, err := check.Position(h.seal, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	var names []string
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		names = nil
		after := ""
		if last != "" {
			after = store.Key(tables.ClustersByStatus, c.Account, c.Region, compute.Active, c.Account, c.Region, last)
		}
		for key := range tx.List(store.Prefix(tables.ClustersByStatus, c.Account, c.Region, compute.Active), after, size+1) {
			_, s := store.Segments(key)
			names = append(names, s[len(s)-1])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown, end := check.Page(names, size)
	out := &ecs.ListClustersOutput{ClusterArns: []string{}}
	for _, name := range shown {
		out.ClusterArns = append(out.ClusterArns, compute.ClusterARN(c.Account, c.Region, name))
	}
	if end != nil {
		out.NextToken = new(h.seal.Seal(*end, scope...))
	}
	return out, nil
}

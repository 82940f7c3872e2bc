package cluster

import (
	"context"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const account, region = "123456789012", "us-east-1"

var ctx = auth.WithCaller(context.Background(), auth.Caller{Account: account, Region: region, ARN: "arn:aws:iam::123456789012:root", UserID: account})

func newHandler(t *testing.T) *Handler {
	s := mem.New(mem.Paranoid())
	t.Cleanup(func() { s.Close() })
	return New(service.Deps{
		Store: s,
		Now:   func() time.Time { return time.Date(2026, 9, 16, 10, 0, 0, 0, time.UTC) },
		IDs:   arn.NewSource(rand.New(rand.NewSource(1))),
	})
}

func create(t *testing.T, h *Handler, in ecs.CreateClusterInput) *ecs.Cluster {
	t.Helper()
	out, err := h.CreateCluster(ctx, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out.Cluster
}

func put[T any](t *testing.T, h *Handler, table store.Table[T], r T) {
	t.Helper()
	if err := h.deps.Store.Update(ctx, func(tx store.Tx) error { return table.Put(tx, &r) }); err != nil {
		t.Fatal(err)
	}
}

var everyInclude = []string{"ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"}

func describe(t *testing.T, h *Handler, name string, include ...string) ecs.Cluster {
	t.Helper()
	out, err := h.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{name}, Include: include})
	if err != nil || len(out.Clusters) != 1 {
		t.Fatalf("describe %s: %+v, %v", name, out, err)
	}
	return out.Clusters[0]
}

func TestCreateAnswersEverything(t *testing.T) {
	h := newHandler(t)
	got := create(t, h, ecs.CreateClusterInput{ClusterName: new("web")})
	zero := new(int32(0))
	want := &ecs.Cluster{
		ClusterArn: new("arn:aws:ecs:us-east-1:123456789012:cluster/web"), ClusterName: new("web"), Status: new("ACTIVE"),
		ActiveServicesCount: zero, RegisteredContainerInstancesCount: zero, RunningTasksCount: zero, PendingTasksCount: zero,
		Statistics: []ecs.KeyValuePair{}, Tags: []ecs.Tag{}, CapacityProviders: []string{},
		DefaultCapacityProviderStrategy: []ecs.CapacityProviderStrategyItem{},
		Settings:                        []ecs.ClusterSetting{{Name: new("containerInsights"), Value: new("disabled")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("created %+v", got)
	}
	bare := describe(t, h, "web")
	if len(bare.Settings) != 0 || bare.Settings == nil || bare.Tags == nil || bare.Statistics == nil || bare.Configuration != nil {
		t.Errorf("described without include: %+v", bare)
	}
	role := func() (r identity.Role) {
		err := h.deps.Store.View(ctx, func(tx store.Tx) (err error) {
			r, err = tables.Roles.Get(tx, account, identity.Fold("AWSServiceRoleForECS"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := role()
	create(t, h, ecs.CreateClusterInput{ClusterName: new("web")})
	if named := create(t, h, ecs.CreateClusterInput{}); *named.ClusterName != "default" {
		t.Errorf("unnamed cluster is %s", *named.ClusterName)
	}
	if again := role(); again.ID != first.ID || first.LinkedTo != "ecs.amazonaws.com" {
		t.Errorf("the service-linked role %s became %s", first.ID, again.ID)
	}
}

func TestCreateRefuses(t *testing.T) {
	h := newHandler(t)
	create(t, h, ecs.CreateClusterInput{ClusterName: new("web")})
	fargate := []string{"FARGATE"}
	item := func(p string, base, weight int32) ecs.CapacityProviderStrategyItem {
		return ecs.CapacityProviderStrategyItem{CapacityProvider: &p, Base: &base, Weight: &weight}
	}
	for want, in := range map[string]ecs.CreateClusterInput{
		`InvalidParameterException: ClusterName must match ^[a-zA-Z0-9\-_]{1,255}$, but was a.b`: {ClusterName: new("a.b")},
		"InvalidParameterException: Invalid setting 'value'":                                     {Settings: []ecs.ClusterSetting{{Name: new("containerInsights"), Value: new("bad")}}},
		"InvalidParameterException: Invalid setting 'name'":                                      {Settings: []ecs.ClusterSetting{{Name: new("x"), Value: new("enabled")}}},
		"InvalidParameterException: The specified capacity provider 'mine' was not found.":       {CapacityProviders: []string{"mine"}},
		"InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider that is not associated": {
			CapacityProviders: fargate, DefaultCapacityProviderStrategy: []ecs.CapacityProviderStrategyItem{item("FARGATE_SPOT", 0, 1)}},
		"InvalidParameterException: The specified capacity provider strategy cannot contain more than one capacity provider with a base": {
			CapacityProviders:               []string{"FARGATE", "FARGATE_SPOT"},
			DefaultCapacityProviderStrategy: []ecs.CapacityProviderStrategyItem{item("FARGATE", 1, 1), item("FARGATE_SPOT", 1, 1)}},
		"InvalidParameterException: The weight value of a capacity provider strategy must be": {
			CapacityProviders: fargate, DefaultCapacityProviderStrategy: []ecs.CapacityProviderStrategyItem{item("FARGATE", 0, 1001)}},
		"InvalidParameterException: Arguments on this idempotent request are inconsistent with arguments used in previous request(s).": {
			ClusterName: new("web"), CapacityProviders: fargate},
		"ClientException: The 'serviceConnectDefaults' parameter is not supported": {
			ServiceConnectDefaults: &ecs.ClusterServiceConnectDefaultsRequest{Namespace: new("ns")}},
		"ClientException: The 'managedStorageConfiguration' parameter is not supported": {
			Configuration: &ecs.ClusterConfiguration{ManagedStorageConfiguration: &ecs.ManagedStorageConfiguration{KmsKeyId: new("k")}}},
		"InvalidParameterException: logging should be one of [NONE,DEFAULT,OVERRIDE]": {
			Configuration: &ecs.ClusterConfiguration{ExecuteCommandConfiguration: &ecs.ExecuteCommandConfiguration{Logging: new("X")}}},
	} {
		if _, err := h.CreateCluster(ctx, &in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDescribeFailuresAndIncludes(t *testing.T) {
	h := newHandler(t)
	missing := &ecs.DescribeClustersInput{Clusters: []string{"none"}, Include: []string{"BOGUS"}}
	out, err := h.DescribeClusters(ctx, missing)
	if err != nil || len(out.Failures) != 1 || *out.Failures[0].Arn != "arn:aws:ecs:us-east-1:123456789012:cluster/none" || *out.Failures[0].Reason != "MISSING" {
		t.Fatalf("missing cluster: %+v, %v", out, err)
	}
	if out, err := h.DescribeClusters(ctx, &ecs.DescribeClustersInput{}); err != nil || len(out.Failures) != 1 {
		t.Errorf("missing default cluster: %+v, %v", out, err)
	}
	create(t, h, ecs.CreateClusterInput{})
	if out, err := h.DescribeClusters(ctx, &ecs.DescribeClustersInput{}); err != nil || len(out.Clusters) != 1 {
		t.Errorf("default cluster: %+v, %v", out, err)
	}
	_, err = h.DescribeClusters(ctx, &ecs.DescribeClustersInput{Include: []string{"BOGUS"}})
	if err == nil || err.Error() != "InvalidParameterException: include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]" {
		t.Errorf("bogus include: %v", err)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	if _, err := h.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: many}); err == nil {
		t.Error("101 clusters were described")
	}
	other := auth.WithCaller(context.Background(), auth.Caller{Account: account, Region: "eu-west-1"})
	if out, err := h.DescribeClusters(other, &ecs.DescribeClustersInput{}); err != nil || len(out.Clusters) != 0 {
		t.Errorf("another region sees %+v, %v", out.Clusters, err)
	}
}

func TestStatistics(t *testing.T) {
	h := newHandler(t)
	create(t, h, ecs.CreateClusterInput{ClusterName: new("web")})
	task := func(id, launch string, last compute.Status) {
		put(t, h, tables.Tasks, compute.Task{Account: account, Region: region, Cluster: "web", ID: id,
			Spec: compute.TaskSpec{LaunchType: launch}, Intent: compute.Intent{Desired: compute.Running}, State: compute.TaskState{Last: last}})
	}
	task("1", "FARGATE", compute.Running)
	task("2", "FARGATE", compute.Pending)
	task("3", "FARGATE", compute.Stopped)
	task("4", "EC2", compute.Running)
	serve := func(name, status, launch string, items ...compute.StrategyItem) {
		put(t, h, tables.Services, compute.Service{Account: account, Region: region, Cluster: "web", Name: name, Status: status, LaunchType: launch, Strategy: items})
	}
	serve("a", "ACTIVE", "FARGATE")
	serve("b", "DRAINING", "FARGATE")
	serve("c", "ACTIVE", "", compute.StrategyItem{Provider: compute.FargateSpot, Weight: 1})
	serve("d", "INACTIVE", "EC2")
	for _, status := range []string{"ACTIVE", "DRAINING", "INACTIVE"} {
		put(t, h, tables.Instances, compute.Instance{Account: account, Region: region, Cluster: "web", ID: status, Status: status})
	}
	c := describe(t, h, "web", "STATISTICS")
	var got []string
	for _, p := range c.Statistics {
		if *p.Value != "0" {
			got = append(got, *p.Name+"="+*p.Value)
		}
	}
	want := []string{"runningEC2TasksCount=1", "runningFargateTasksCount=1", "pendingFargateTasksCount=1", "activeFargateServiceCount=2", "drainingFargateServiceCount=1"}
	if len(c.Statistics) != 16 || !slices.Equal(got, want) {
		t.Errorf("%d statistics: %q", len(c.Statistics), got)
	}
	if *c.RunningTasksCount != 2 || *c.PendingTasksCount != 1 || *c.ActiveServicesCount != 2 || *c.RegisteredContainerInstancesCount != 2 {
		t.Errorf("counts: %+v", c)
	}
}

func TestUpdate(t *testing.T) {
	h := newHandler(t)
	exec := &ecs.ClusterConfiguration{ExecuteCommandConfiguration: &ecs.ExecuteCommandConfiguration{
		KmsKeyId: new("key"), Logging: new("OVERRIDE"),
		LogConfiguration: &ecs.ExecuteCommandLogConfiguration{CloudWatchLogGroupName: new("g"), S3EncryptionEnabled: new(false)},
	}}
	missing := "ClusterNotFoundException: Cluster not found."
	_, err := h.UpdateClusterSettings(ctx, &ecs.UpdateClusterSettingsInput{Cluster: new("web"), Settings: []ecs.ClusterSetting{{Name: new("containerInsights"), Value: new("bad")}}})
	if err == nil || err.Error() != missing {
		t.Errorf("settings of a missing cluster: %v", err)
	}
	if _, err := h.UpdateCluster(ctx, &ecs.UpdateClusterInput{Cluster: new("web")}); err == nil || err.Error() != missing {
		t.Errorf("update of a missing cluster: %v", err)
	}
	create(t, h, ecs.CreateClusterInput{ClusterName: new("web")})
	if _, err := h.UpdateCluster(ctx, &ecs.UpdateClusterInput{Cluster: new("web"), Configuration: exec}); err != nil {
		t.Fatal(err)
	}
	out, err := h.UpdateClusterSettings(ctx, &ecs.UpdateClusterSettingsInput{Cluster: new("web"),
		Settings: []ecs.ClusterSetting{{Name: new("containerInsights"), Value: new("enhanced")}}})
	if err != nil || *out.Cluster.Settings[0].Value != "enhanced" {
		t.Fatalf("%+v, %v", out, err)
	}
	got := describe(t, h, "web", everyInclude...)
	if !reflect.DeepEqual(got.Configuration, exec) || *got.Settings[0].Value != "enhanced" {
		t.Errorf("described %+v", got)
	}
	_, err = h.UpdateClusterSettings(ctx, &ecs.UpdateClusterSettingsInput{Cluster: new("web"), Settings: []ecs.ClusterSetting{{Name: new("containerInsights"), Value: new("bad")}}})
	if err == nil || err.Error() != "InvalidParameterException: Invalid setting 'value'" {
		t.Errorf("bad setting: %v", err)
	}
}

func TestDelete(t *testing.T) {
	h := newHandler(t)
	create(t, h, ecs.CreateClusterInput{ClusterName: new("web"), Tags: []ecs.Tag{{Key: new("k"), Value: new("v")}}})
	remove := func(want string) *ecs.Cluster {
		t.Helper()
		out, err := h.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: new("web")})
		if want == "" && err == nil {
			return out.Cluster
		}
		if err == nil || err.Error() != want {
			t.Errorf("delete: %v, want %q", err, want)
		}
		return nil
	}
	s := compute.Service{Account: account, Region: region, Cluster: "web", Name: "s", Status: "ACTIVE"}
	put(t, h, tables.Services, s)
	remove("ClusterContainsServicesException: The Cluster cannot be deleted while Services are active.")
	s.Status = "DRAINING"
	put(t, h, tables.Services, s)
	task := compute.Task{Account: account, Region: region, Cluster: "web", ID: "1", State: compute.TaskState{Last: compute.Deprovisioning}}
	put(t, h, tables.Tasks, task)
	remove("ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active.")
	task.State.Last = compute.Stopped
	put(t, h, tables.Tasks, task)
	i := compute.Instance{Account: account, Region: region, Cluster: "web", ID: "i", Status: "DRAINING"}
	put(t, h, tables.Instances, i)
	remove("ClusterContainsContainerInstancesException: The Cluster cannot be deleted while Container Instances are active or draining.")
	i.Status = "INACTIVE"
	put(t, h, tables.Instances, i)
	got := remove("")
	if got == nil || *got.Status != "INACTIVE" || len(got.Settings) != 1 || len(got.Tags) != 0 {
		t.Fatalf("deleted %+v", got)
	}
	old := describe(t, h, "web", everyInclude...)
	if *old.Status != "INACTIVE" || len(old.Tags) != 1 || len(old.Settings) != 1 {
		t.Errorf("described after deletion: %+v", old)
	}
	remove("ClusterNotFoundException: Cluster not found.")
	if out, err := h.ListClusters(ctx, &ecs.ListClustersInput{}); err != nil || len(out.ClusterArns) != 0 {
		t.Errorf("a deleted cluster is listed: %v, %v", out, err)
	}
	if again := create(t, h, ecs.CreateClusterInput{ClusterName: new("web")}); *again.Status != "ACTIVE" || len(again.Tags) != 0 {
		t.Errorf("created again: %+v", again)
	}
}

func TestListPages(t *testing.T) {
	h := newHandler(t)
	for i := range 5 {
		create(t, h, ecs.CreateClusterInput{ClusterName: new(fmt.Sprint("c", i))})
	}
	in := &ecs.ListClustersInput{MaxResults: new(int32(2))}
	var sizes []int
	var all []string
	for {
		out, err := h.ListClusters(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		sizes, all = append(sizes, len(out.ClusterArns)), append(all, out.ClusterArns...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if !slices.Equal(sizes, []int{2, 2, 1}) || !slices.IsSorted(all) || len(slices.Compact(all)) != 5 {
		t.Errorf("pages of %v: %v", sizes, all)
	}
	for want, in := range map[string]ecs.ListClustersInput{
		"InvalidParameterException: Max results can not be greater than 100": {MaxResults: new(int32(101))},
		"InvalidParameterException: Max results can not be lesser than 1":    {MaxResults: new(int32(0))},
		"InvalidParameterException: Invalid token":                           {NextToken: new("c1")},
	} {
		if _, err := h.ListClusters(ctx, &in); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestCapacityProviders(t *testing.T) {
	h := newHandler(t)
	create(t, h, ecs.CreateClusterInput{ClusterName: new("web")})
	set := func(providers []string, items ...ecs.CapacityProviderStrategyItem) (*ecs.Cluster, error) {
		out, err := h.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
			Cluster: new("web"), CapacityProviders: providers,
			DefaultCapacityProviderStrategy: append([]ecs.CapacityProviderStrategyItem{}, items...)})
		if err != nil {
			return nil, err
		}
		return out.Cluster, nil
	}
	spot := ecs.CapacityProviderStrategyItem{CapacityProvider: new("FARGATE_SPOT"), Weight: new(int32(3))}
	c, err := set([]string{"FARGATE", "FARGATE_SPOT"}, spot)
	if err != nil || len(c.CapacityProviders) != 2 || *c.AttachmentsStatus != "UPDATE_COMPLETE" || *c.DefaultCapacityProviderStrategy[0].Base != 0 {
		t.Fatalf("%+v, %v", c, err)
	}
	put(t, h, tables.Tasks, compute.Task{Account: account, Region: region, Cluster: "web", ID: "1",
		Spec: compute.TaskSpec{CapacityProvider: "FARGATE_SPOT"}, State: compute.TaskState{Last: compute.Running}})
	if _, err := set([]string{"FARGATE"}); err == nil || err.Error() != "ResourceInUseException: The specified capacity provider is in use and cannot be removed." {
		t.Errorf("removed a provider in use: %v", err)
	}
	if c, err := set([]string{"FARGATE_SPOT"}, spot); err != nil || len(c.CapacityProviders) != 1 {
		t.Errorf("removed an unused provider: %+v, %v", c, err)
	}
	if _, err := set([]string{"nope"}); err == nil {
		t.Error("an unknown provider was accepted")
	}
	page, err := h.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{MaxResults: new(int32(1))})
	if err != nil || len(page.CapacityProviders) != 1 || *page.CapacityProviders[0].Name != "FARGATE" || page.NextToken == nil {
		t.Fatalf("first page: %+v, %v", page, err)
	}
	page, err = h.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{MaxResults: new(int32(1)), NextToken: page.NextToken})
	if err != nil || len(page.CapacityProviders) != 1 || *page.CapacityProviders[0].Name != "FARGATE_SPOT" || page.NextToken != nil {
		t.Fatalf("second page: %+v, %v", page, err)
	}
	named, err := h.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{
		CapacityProviders: []string{"arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE", "mine"}})
	if err != nil || len(named.CapacityProviders) != 1 || len(named.Failures) != 1 || *named.Failures[0].Reason != "MISSING" {
		t.Errorf("by name: %+v, %v", named, err)
	}
	if _, err := h.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{Include: []string{"X"}}); err == nil {
		t.Error("a bogus include was accepted")
	}
}

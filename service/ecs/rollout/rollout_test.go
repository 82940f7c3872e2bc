package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/ecstest"
	"neargate/store"
	"neargate/store/tables"
)

type world struct {
	*ecstest.World
	*Service
	svc compute.Service
}

// newWorld has a service "web" that was deployed 25 times, a minute apart.
func newWorld(t *testing.T) *world {
	w := &world{World: ecstest.New(t)}
	w.Service = New(w.World.Env)
	w.svc = compute.Service{Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", Name: "web", Status: compute.Active, CreatedAt: w.Now,
		Deployments: []compute.Deployment{{ID: "ecs-svc/25", Status: compute.Primary, Desired: 3}}}
	w.Update(func(tx store.Tx) error {
		for i := -1; i < 25; i++ { // -1 is of an earlier service of the name
			d := compute.ServiceDeployment{Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", Service: "web", ID: fmt.Sprintf("dep%d", i),
				DeploymentID: fmt.Sprintf("ecs-svc/%d", i+1), CreatedAt: w.Now.Add(time.Duration(i) * time.Minute), Status: "SUCCESSFUL",
				Rolling: compute.Rolling{MaximumPercent: 200}, Source: []string{fmt.Sprint(i)}}
			if i%5 == 4 {
				d.Status, d.FinishedAt = "STOPPED", w.Now
			}
			r := compute.ServiceRevision{Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", Service: "web", ID: fmt.Sprint(i + 1),
				Images: []compute.ContainerSpec{{Name: "main", Image: "httpd"}}, First: i == 0, Network: &compute.Network{Subnets: []string{"s"}}}
			if i == 3 {
				r.Monitoring = []byte(`{"MetricConfigurations":[{"MetricNames":["CPUUtilization"],"ResolutionSeconds":20}]}`)
			}
			if err := tables.ServiceDeployments.Put(tx, &d); err != nil {
				return err
			}
			if err := tables.ServiceRevisions.Put(tx, &r); err != nil {
				return err
			}
		}
		return tables.Services.Put(tx, &w.svc)
	})
	return w
}

func deploymentARN(id string) string {
	return "arn:aws:ecs:us-east-1:123456789012:service-deployment/c/web/" + id
}

func revisionARN(id string) string {
	return "arn:aws:ecs:us-east-1:123456789012:service-revision/c/web/" + id
}

func TestListServiceDeployments(t *testing.T) {
	w := newWorld(t)
	list := func(in ecs.ListServiceDeploymentsInput) (pages []int, all []ecs.ServiceDeploymentBrief) {
		in.Cluster, in.Service = new("c"), new("web")
		for {
			out, err := w.ListServiceDeployments(w.Ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			pages, all = append(pages, len(out.ServiceDeployments)), append(all, out.ServiceDeployments...)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return pages, all
			}
		}
	}
	for name, tt := range map[string]struct {
		in    ecs.ListServiceDeploymentsInput
		pages []int
	}{
		"twenty by default": {ecs.ListServiceDeploymentsInput{}, []int{20, 5}},
		"stopped":           {ecs.ListServiceDeploymentsInput{Status: []string{"STOPPED"}, MaxResults: new(int32(3))}, []int{3, 2}},
		"between": {ecs.ListServiceDeploymentsInput{CreatedAt: &ecs.CreatedAt{After: new(w.Now.Add(time.Minute)),
			Before: new(w.Now.Add(5 * time.Minute))}}, []int{3}},
	} {
		pages, all := list(tt.in)
		if !slices.Equal(pages, tt.pages) {
			t.Errorf("%s: pages %v, want %v", name, pages, tt.pages)
		}
		if !slices.IsSortedFunc(all, func(a, b ecs.ServiceDeploymentBrief) int { return b.CreatedAt.Compare(*a.CreatedAt) }) {
			t.Errorf("%s: not newest first", name)
		}
	}
	_, all := list(ecs.ListServiceDeploymentsInput{})
	if *all[0].ServiceDeploymentArn != deploymentARN("dep24") || *all[0].TargetServiceRevisionArn != revisionARN("25") {
		t.Errorf("newest %+v", all[0])
	}
	for want, in := range map[string]*ecs.ListServiceDeploymentsInput{
		"ServiceNotFoundException: Service not found.":       {Service: new("none")},
		"InvalidParameterException: status should be one of": {Service: new("web"), Status: []string{"X"}},
		"InvalidParameterException: Max results":             {Service: new("web"), MaxResults: new(int32(101))},
		"InvalidParameterException: Invalid token":           {Service: new("web"), NextToken: new("x")},
	} {
		in.Cluster = new("c")
		_, err := w.ListServiceDeployments(w.Ctx, in)
		w.Fails(err, want)
	}
}

func TestDescribeServiceDeployments(t *testing.T) {
	w := newWorld(t)
	out, err := w.DescribeServiceDeployments(w.Ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{deploymentARN("dep24"), deploymentARN("nope")}})
	if err != nil {
		t.Fatal(err)
	}
	d := out.ServiceDeployments[0]
	if *d.TargetServiceRevision.Arn != revisionARN("25") || *d.TargetServiceRevision.RequestedTaskCount != 3 || *d.SourceServiceRevisions[0].Arn != revisionARN("24") ||
		*d.Status != "STOPPED" || d.StoppedAt == nil || *d.DeploymentConfiguration.MaximumPercent != 200 || *d.DeploymentCircuitBreaker.Status != "DISABLED" {
		t.Errorf("deployment %+v", d)
	}
	if f := out.Failures; len(f) != 1 || *f[0].Reason != "MISSING" || *f[0].Arn != deploymentARN("nope") {
		t.Errorf("failures %+v", f)
	}
	for want, arns := range map[string][]string{
		"InvalidParameterException: The ServiceDeployment ARN is invalid.": {"x"},
		"InvalidParameterException: Arns cannot be empty.":                 nil,
		"InvalidParameterException: Arns can have at most 20 items.":       make([]string, 21),
	} {
		_, err := w.DescribeServiceDeployments(w.Ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns})
		w.Fails(err, want)
	}
}

func TestDescribeServiceRevisions(t *testing.T) {
	w := newWorld(t)
	describe := func(arns ...string) (*ecs.DescribeServiceRevisionsOutput, error) {
		return w.DescribeServiceRevisions(w.Ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: arns})
	}
	out, err := describe(revisionARN("1"), revisionARN("4"), revisionARN("99"), revisionARN("99"))
	if err != nil {
		t.Fatal(err)
	}
	first, later := out.ServiceRevisions[0], out.ServiceRevisions[1]
	if first.LoadBalancers != nil || first.ServiceRegistries != nil || first.Monitoring != nil || *first.GuardDutyEnabled || *first.ContainerImages[0].Image != "httpd" {
		t.Errorf("first revision %+v", first)
	}
	if later.LoadBalancers == nil || later.ServiceRegistries == nil || *later.Monitoring.MetricConfigurations[0].ResolutionSeconds != 20 {
		t.Errorf("later revision %+v", later)
	}
	if f := out.Failures; len(f) != 2 || *f[1].Reason != "MISSING" || *f[1].Arn != revisionARN("99") {
		t.Errorf("failures %+v", f)
	}
	const bad = "InvalidParameterException: The ServiceRevision ARN is invalid."
	for _, tt := range []struct {
		want string
		arns []string
	}{
		{bad, []string{strings.Replace(revisionARN("1"), "us-east-1", "us-west-2", 1)}},
		{bad, []string{strings.Replace(revisionARN("1"), "123456789012", "999999999999", 1)}},
		{bad, []string{revisionARN("abc")}},
		{"InvalidParameterException: Cross service requests are not allowed. All requested service revisions must be for a single service",
			[]string{revisionARN("1"), strings.Replace(revisionARN("1"), "/web/", "/other/", 1)}},
		{"ServerException: Service Unavailable. Please try again later.", []string{revisionARN("1"), revisionARN("1")}},
		{"ServiceNotFoundException: Service not found.", []string{strings.Replace(revisionARN("1"), "/web/", "/other/", 1)}},
		{"ClusterNotFoundException: Cluster not found.", []string{strings.Replace(revisionARN("1"), "/c/", "/none/", 1)}},
	} {
		_, err := describe(tt.arns...)
		w.Fails(err, tt.want)
	}
	w.Update(func(tx store.Tx) error {
		w.svc.Status = compute.Inactive
		return tables.Services.Put(tx, &w.svc)
	})
	_, err = describe(revisionARN("1"))
	w.Fails(err, "InvalidParameterException: Cannot call DescribeServiceRevisions for a service that is INACTIVE")
}

// Package rollout shows the deployments of ECS services and the revisions they
// roll out.
package rollout

import (
	"context"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// Service answers the operations on service deployments and revisions.
type Service struct{ call.Env }

// New makes the service.
func New(e call.Env) *Service { return &Service{e} }

// maxDescribed is how many deployments or revisions a call describes, and how
// many deployments a page lists unless asked otherwise.
const maxDescribed = 20

var statuses = []string{"PENDING", "SUCCESSFUL", "STOPPED", "STOP_REQUESTED", "IN_PROGRESS", "ROLLBACK_REQUESTED",
	"ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}

var listServiceDeploymentsHas = check.Required[ecs.ListServiceDeploymentsInput]()

// ListServiceDeployments implements ecs.API.
func (s *Service) ListServiceDeployments(ctx context.Context, in *ecs.ListServiceDeploymentsInput) (*ecs.ListServiceDeploymentsOutput, error) {
	_, tenant := call.From(ctx)
	size, err := check.PageSize(in.MaxResults, maxDescribed)
	if err != nil {
		return nil, err
	}
	if err := listServiceDeploymentsHas(in); err != nil {
		return nil, err
	}
	for i := range in.Status {
		if err := check.OneOf("status", &in.Status[i], statuses...); err != nil {
			return nil, err
		}
	}
	out := &ecs.ListServiceDeploymentsOutput{}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		out.ServiceDeployments, out.NextToken = []ecs.ServiceDeploymentBrief{}, nil
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		name, err := tenant.Service(cluster.Name, value(in.Service))
		if err != nil {
			return err
		}
		svc, err := service(tx, tenant, cluster.Name, name)
		if err != nil {
			return err
		}
		scope := []string{tenant.Account, tenant.Region, "ListServiceDeployments", cluster.Name, name, strings.Join(in.Status, ",")}
		after, err := check.Position(s.Pages, in.NextToken, scope...)
		if err != nil {
			return err
		}
		records, err := list(tx, &svc, in, after, size)
		if err != nil {
			return err
		}
		records, last := check.Page(records, size)
		for i := range records {
			out.ServiceDeployments = append(out.ServiceDeployments, view.Brief(&svc, &records[i]))
		}
		if last != nil {
			out.NextToken = new(s.Pages.Seal(tables.ServiceDeployments.IndexKey(tables.ServiceDeploymentsByAge, last), scope...))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// list returns one more than size of the service's records that match, newest
// first, if there are.
func list(tx store.Tx, svc *compute.Service, in *ecs.ListServiceDeploymentsInput, after string, size int) ([]compute.ServiceDeployment, error) {
	var out []compute.ServiceDeployment
	segments := []string{svc.Account, svc.Region, svc.Cluster, svc.Name}
	for d, err := range tables.ServiceDeployments.ByPage(tx, tables.ServiceDeploymentsByAge, segments, after, 0) {
		if err != nil {
			return nil, err
		}
		if d.CreatedAt.Before(svc.CreatedAt) {
			break // of an earlier service of the name
		}
		if matches(&d, in) {
			out = append(out, d)
		}
		if len(out) > size {
			break
		}
	}
	return out, nil
}

func matches(d *compute.ServiceDeployment, in *ecs.ListServiceDeploymentsInput) bool {
	if len(in.Status) > 0 && !slices.Contains(in.Status, d.Status) {
		return false
	}
	c := in.CreatedAt
	return c == nil || (c.After == nil || d.CreatedAt.After(*c.After)) && (c.Before == nil || d.CreatedAt.Before(*c.Before))
}

// DescribeServiceDeployments implements ecs.API.
func (s *Service) DescribeServiceDeployments(ctx context.Context, in *ecs.DescribeServiceDeploymentsInput) (*ecs.DescribeServiceDeploymentsOutput, error) {
	_, tenant := call.From(ctx)
	targets, err := read(tenant, in.ServiceDeploymentArns, "service-deployment", "The ServiceDeployment ARN is invalid.")
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeServiceDeploymentsOutput{}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		out.ServiceDeployments, out.Failures = []ecs.ServiceDeployment{}, []ecs.Failure{}
		for i, at := range targets {
			d, ok, err := tables.ServiceDeployments.Find(tx, tenant.Account, tenant.Region, at.cluster, at.service, at.id)
			if err != nil {
				return err
			}
			svc, known, err := tables.Services.Find(tx, tenant.Account, tenant.Region, at.cluster, at.service)
			if err != nil {
				return err
			}
			if !ok || !known {
				out.Failures = append(out.Failures, ecs.Failure{Arn: &in.ServiceDeploymentArns[i], Reason: new("MISSING")})
				continue
			}
			out.ServiceDeployments = append(out.ServiceDeployments, view.ServiceDeployment(&svc, &d, lookup.Deployments(tx, &svc)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeServiceRevisions implements ecs.API.
func (s *Service) DescribeServiceRevisions(ctx context.Context, in *ecs.DescribeServiceRevisionsInput) (*ecs.DescribeServiceRevisionsOutput, error) {
	_, tenant := call.From(ctx)
	targets, err := readRevisions(tenant, in.ServiceRevisionArns)
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeServiceRevisionsOutput{}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		out.ServiceRevisions, out.Failures = []ecs.ServiceRevision{}, []ecs.Failure{}
		if _, err := lookup.Cluster(tx, tenant, &targets[0].cluster); err != nil {
			return err
		}
		svc, err := service(tx, tenant, targets[0].cluster, targets[0].service)
		if err != nil {
			return err
		}
		if svc.Status == compute.Inactive {
			return invalid("Cannot call DescribeServiceRevisions for a service that is INACTIVE")
		}
		seen := map[string]bool{}
		for i, at := range targets {
			r, ok, err := tables.ServiceRevisions.Find(tx, tenant.Account, tenant.Region, at.cluster, at.service, at.id)
			switch {
			case err != nil:
				return err
			case !ok:
				out.Failures = append(out.Failures, ecs.Failure{Arn: &in.ServiceRevisionArns[i], Reason: new("MISSING")})
				continue
			case seen[at.id]:
				return ecs.ServerException("Service Unavailable. Please try again later.") // as recorded
			}
			seen[at.id] = true
			out.ServiceRevisions = append(out.ServiceRevisions, view.Revision(&svc, &r))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func readRevisions(t ref.Tenant, arns []string) ([]target, error) {
	targets, err := read(t, arns, "service-revision", badRevision)
	if err != nil {
		return nil, err
	}
	for _, at := range targets {
		if strings.Trim(at.id, "0123456789") != "" {
			return nil, invalid(badRevision)
		}
		if at.cluster != targets[0].cluster || at.service != targets[0].service {
			return nil, invalid("Cross service requests are not allowed. All requested service revisions must be for a single service")
		}
	}
	return targets, nil
}

const badRevision = "The ServiceRevision ARN is invalid."

// target is what a deployment's or revision's ARN points at.
type target struct{ cluster, service, id string }

// read parses 1 to 20 ARNs of the tenant.
func read(t ref.Tenant, arns []string, kind, bad string) ([]target, error) {
	if err := check.Given("Arns", len(arns)); err != nil {
		return nil, err
	}
	if err := check.AtMost("Arns", len(arns), maxDescribed); err != nil {
		return nil, err
	}
	var out []target
	for _, s := range arns {
		a, err := arn.Parse(s)
		p := a.Path()
		if err != nil || a.Service != "ecs" || a.Account != t.Account || a.Region != t.Region || len(p) != 4 || p[0] != kind || p[3] == "" {
			return nil, invalid(bad)
		}
		out = append(out, target{p[1], p[2], p[3]})
	}
	return out, nil
}

func service(tx store.Tx, t ref.Tenant, cluster, name string) (compute.Service, error) {
	svc, ok, err := tables.Services.Find(tx, t.Account, t.Region, cluster, name)
	if err == nil && !ok {
		err = ecs.ServiceNotFoundException("Service not found.")
	}
	return svc, err
}

func invalid(message string) error { return ecs.InvalidParameterException(message) }

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

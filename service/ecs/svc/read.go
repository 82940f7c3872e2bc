package svc

import (
	"context"
	"slices"
	"strings"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/admit"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// Sizes of the calls. Source: Amazon ECS API Reference.
const (
	maxDescribed = 10
	defaultPage  = 10
)

// DescribeServices implements ecs.API.
func (s *Service) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error) {
	_, tenant := call.From(ctx)
	if err := check.Given("Services", len(in.Services)); err != nil {
		return nil, err
	}
	if err := check.AtMost("services", len(in.Services), maxDescribed); err != nil {
		return nil, err
	}
	if err := check.Include(in.Include, "TAGS"); err != nil {
		return nil, err
	}
	out := &ecs.DescribeServicesOutput{}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		out.Services, out.Failures = []ecs.Service{}, []ecs.Failure{}
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		for _, r := range in.Services {
			name, err := tenant.Service(cluster.Name, r)
			if err != nil {
				return err
			}
			svc, ok, err := tables.Services.Find(tx, tenant.Account, tenant.Region, cluster.Name, name)
			if err != nil {
				return err
			}
			if !ok {
				svc = compute.Service{Account: tenant.Account, Region: tenant.Region, Cluster: cluster.Name, Name: name}
				out.Failures = append(out.Failures, ecs.Failure{Arn: new(svc.ARN()), Reason: new("MISSING")})
				continue
			}
			a, err := around(tx, &svc)
			if err != nil {
				return err
			}
			a.Tags, a.Current = slices.Contains(in.Include, "TAGS"), true
			out.Services = append(out.Services, view.Service(&svc, a))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListServices implements ecs.API.
func (s *Service) ListServices(ctx context.Context, in *ecs.ListServicesInput) (*ecs.ListServicesOutput, error) {
	_, tenant := call.From(ctx)
	size, err := check.PageSize(in.MaxResults, defaultPage)
	if err != nil {
		return nil, err
	}
	if err := checkFilters(in); err != nil {
		return nil, err
	}
	out := &ecs.ListServicesOutput{}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		scope := []string{tenant.Account, tenant.Region, "ListServices", cluster.Name,
			value(in.LaunchType), value(in.SchedulingStrategy), value(in.ResourceManagementType)}
		after, err := check.Position(s.Pages, in.NextToken, scope...)
		if err != nil {
			return err
		}
		services, err := list(tx, tenant, &cluster, in, after, size)
		if err != nil {
			return err
		}
		services, last := check.Page(services, size)
		out.ServiceArns, out.NextToken = []string{}, nil
		for i := range services {
			out.ServiceArns = append(out.ServiceArns, services[i].ARN())
		}
		if last != nil {
			out.NextToken = new(s.Pages.Seal(tables.Services.IndexKey(tables.ServicesByActivity, last), scope...))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func checkFilters(in *ecs.ListServicesInput) error {
	if err := check.OneOf("launch type", in.LaunchType, admit.LaunchTypes()...); err != nil {
		return err
	}
	if err := check.OneOf("Scheduling strategy", in.SchedulingStrategy, replica, daemon); err != nil {
		return err
	}
	return check.OneOf("resource management type", in.ResourceManagementType, "CUSTOMER", "ECS")
}

// list returns one more than size of the ACTIVE services that match, if there are.
func list(tx store.Tx, t ref.Tenant, cluster *compute.Cluster, in *ecs.ListServicesInput, after string, size int) ([]compute.Service, error) {
	var out []compute.Service
	if value(in.ResourceManagementType) == "ECS" {
		return nil, nil
	}
	segments := []string{t.Account, t.Region, cluster.Name, compute.Active}
	for svc, err := range tables.Services.ByPage(tx, tables.ServicesByActivity, segments, after, 0) {
		if err != nil {
			return nil, err
		}
		if (in.LaunchType == nil || svc.LaunchType == *in.LaunchType) && (in.SchedulingStrategy == nil || svc.Scheduling == *in.SchedulingStrategy) {
			out = append(out, svc)
		}
		if len(out) > size {
			break
		}
	}
	return out, nil
}

var listServicesByNamespaceHas = check.Required[ecs.ListServicesByNamespaceInput]()

// ListServicesByNamespace implements ecs.API. A namespace exists while a cluster
// has it as its Service Connect default; no service can join one.
func (s *Service) ListServicesByNamespace(ctx context.Context, in *ecs.ListServicesByNamespaceInput) (*ecs.ListServicesByNamespaceOutput, error) {
	_, tenant := call.From(ctx)
	if _, err := check.PageSize(in.MaxResults, defaultPage); err != nil {
		return nil, err
	}
	if err := listServicesByNamespaceHas(in); err != nil {
		return nil, err
	}
	namespace := value(in.Namespace)
	if _, err := check.Position(s.Pages, in.NextToken, tenant.Account, tenant.Region, "ListServicesByNamespace", namespace); err != nil {
		return nil, err
	}
	found := false
	err := s.Store.View(ctx, func(tx store.Tx) error {
		for c, err := range tables.Clusters.List(tx, tenant.Account, tenant.Region) {
			if err != nil {
				return err
			}
			found = found || c.ServiceConnect != "" && (c.ServiceConnect == namespace || strings.HasSuffix(c.ServiceConnect, "/"+namespace))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ecs.NamespaceNotFoundException("Namespace not found.")
	}
	return &ecs.ListServicesByNamespaceOutput{ServiceArns: []string{}}, nil
}

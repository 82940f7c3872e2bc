// Package cluster answers the ECS operations on clusters and capacity providers.
package cluster

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/strategy"
	"neargate/service/ecs/internal/tag"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
)

// Handler answers the operations.
type Handler struct {
	deps service.Deps
	seal *page.Sealer
}

// New returns a handler.
func New(deps service.Deps) *Handler {
	return &Handler{deps, page.NewSealer(deps.TokenKey)}
}

var createClusterHas = check.Required[ecs.CreateClusterInput]()

// CreateCluster makes a cluster. Creating an ACTIVE one again answers what is
// there, unless the request asks for something else.
func (h *Handler) CreateCluster(ctx context.Context, in *ecs.CreateClusterInput) (*ecs.CreateClusterOutput, error) {
	if err := createClusterHas(in); err != nil {
		return nil, err
	}
	caller := auth.CallerFrom(ctx)
	wanted, err := requested(in)
	if err != nil {
		return nil, err
	}
	wanted.Account, wanted.Region = caller.Account, caller.Region
	wanted.Status = compute.Active
	wanted.CreatedAt = h.deps.Now().UTC().Truncate(time.Millisecond)
	linked, _, _ := identity.ServiceLinkedRole(caller.Account, "ecs.amazonaws.com", "", wanted.CreatedAt, h.deps.IDs)
	var shown ecs.Cluster
	err = h.deps.Store.Update(ctx, func(tx store.Tx) error {
		c, ok, err := tables.Clusters.Find(tx, wanted.Account, wanted.Region, wanted.Name)
		if err != nil {
			return err
		}
		if ok && c.Status == compute.Active {
			if !agrees(in, &wanted, &c) {
				return ecs.InvalidParameterException("Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
			}
			shown = view(tx, &c, everything)
			return nil
		}
		c = wanted
		if len(c.Settings) == 0 {
			insights, err := defaultInsights(tx, caller)
			if err != nil {
				return err
			}
			c.Settings = []compute.Setting{{Name: containerInsights, Value: insights}}
		}
		if err := tables.Clusters.Put(tx, &c); err != nil {
			return err
		}
		shown = view(tx, &c, everything)
		return ensureRole(tx, caller, &linked)
	})
	if err != nil {
		return nil, err
	}
	return &ecs.CreateClusterOutput{Cluster: &shown, ClusterCount: new(int32(1))}, nil
}

// ensureRole stores ECS's service-linked role in the caller's name unless the
// account has it. A caller who may not make it gets the cluster all the same.
func ensureRole(tx store.Tx, c auth.Caller, r *identity.Role) error {
	_, ok, err := tables.Roles.Find(tx, r.Account, identity.Fold(r.Name))
	if err != nil || ok {
		return err
	}
	ok, err = auth.AllowsForwarded(tx, c, r.LinkedTo, "iam:CreateServiceLinkedRole", r.ARN(), r.CreatedAt)
	if err != nil || !ok {
		return err
	}
	return tables.Roles.Put(tx, r)
}

// requested checks a request and returns the cluster it asks for. It is pure.
func requested(in *ecs.CreateClusterInput) (c compute.Cluster, err error) {
	c.Name = ref.DefaultCluster
	if in.ClusterName != nil {
		c.Name = *in.ClusterName
	}
	if err := ref.CheckName("ClusterName", c.Name); err != nil {
		return c, err
	}
	if c.Settings, err = readSettings(in.Settings); err != nil {
		return c, err
	}
	if err := strategy.Providers(in.CapacityProviders); err != nil {
		return c, err
	}
	c.CapacityProviders = in.CapacityProviders
	if c.DefaultStrategy, err = strategy.Read(in.DefaultCapacityProviderStrategy, c.CapacityProviders); err != nil {
		return c, err
	}
	if c.Configuration, err = readConfiguration(in.Configuration); err != nil {
		return c, err
	}
	if err := refuseServiceConnect(in.ServiceConnectDefaults); err != nil {
		return c, err
	}
	c.Tags, err = tag.Read(in.Tags)
	return c, err
}

// agrees reports whether what the request gives is what the cluster has. Tags are
// not compared.
func agrees(in *ecs.CreateClusterInput, wanted, c *compute.Cluster) bool {
	return (in.Settings == nil || reflect.DeepEqual(wanted.Settings, c.Settings)) &&
		(in.CapacityProviders == nil || sameList(wanted.CapacityProviders, c.CapacityProviders)) &&
		(in.DefaultCapacityProviderStrategy == nil || sameList(wanted.DefaultStrategy, c.DefaultStrategy)) &&
		(in.Configuration == nil || string(wanted.Configuration) == string(c.Configuration))
}

func sameList[T any](a, b []T) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

const containerInsights = "containerInsights"

// defaultInsights is the caller's account setting for new clusters.
func defaultInsights(tx store.Tx, caller auth.Caller) (string, error) {
	s, ok, err := lookup.Setting(tx, ref.Of(caller), ref.Principal(caller.ARN), containerInsights)
	if err != nil || !ok {
		return "disabled", err
	}
	return s.Value, nil
}

func readSettings(in []ecs.ClusterSetting) ([]compute.Setting, error) {
	var out []compute.Setting
	for _, s := range in {
		if deref(s.Name) != containerInsights {
			return nil, ecs.InvalidParameterException("Invalid setting 'name'")
		}
		switch value := deref(s.Value); value {
		case "enabled", "disabled", "enhanced":
			out = []compute.Setting{{Name: containerInsights, Value: value}}
		default:
			return nil, ecs.InvalidParameterException("Invalid setting 'value'")
		}
	}
	return out, nil
}

// readConfiguration checks a cluster configuration and returns its stored form.
// The options of execute-command sessions are kept for when there are sessions;
// customer keys for storage would change how tasks' disks are written.
func readConfiguration(in *ecs.ClusterConfiguration) ([]byte, error) {
	if in == nil {
		return nil, nil
	}
	if in.ManagedStorageConfiguration != nil {
		return nil, unbuilt("managedStorageConfiguration", "AWS KMS")
	}
	if exec := in.ExecuteCommandConfiguration; exec != nil {
		if err := check.OneOf("logging", exec.Logging, "NONE", "DEFAULT", "OVERRIDE"); err != nil {
			return nil, err
		}
		if overrides := deref(exec.Logging) == "OVERRIDE"; overrides != (exec.LogConfiguration != nil) {
			return nil, ecs.InvalidParameterException("The log configuration must be specified if and only if the logging of the execute command configuration is OVERRIDE.")
		}
	}
	return json.Marshal(in)
}

// refuseServiceConnect refuses a Service Connect namespace, since there are none.
// The empty namespace, which takes the default away, passes.
func refuseServiceConnect(in *ecs.ClusterServiceConnectDefaultsRequest) error {
	if in == nil || deref(in.Namespace) == "" {
		return nil
	}
	return unbuilt("serviceConnectDefaults", "AWS Cloud Map")
}

// unbuilt refuses a parameter whose component does not exist here.
func unbuilt(parameter, component string) error {
	return ecs.ClientException("The '" + parameter + "' parameter is not supported in this Region (" + component +
		" is not available). Remove the parameter and try again.")
}

// change runs f on the ACTIVE cluster that s points at, stores it, and returns how
// it looks.
func (h *Handler) change(ctx context.Context, s *string, f func(store.Tx, *compute.Cluster) error) (*ecs.Cluster, error) {
	t := ref.Of(auth.CallerFrom(ctx))
	var shown ecs.Cluster
	err := h.deps.Store.Update(ctx, func(tx store.Tx) error {
		c, err := lookup.Cluster(tx, t, s)
		if err != nil {
			return err
		}
		if err := f(tx, &c); err != nil {
			return err
		}
		if err := tables.Clusters.Put(tx, &c); err != nil {
			return err
		}
		shown = view(tx, &c, include{settings: true, configuration: true, attachments: true})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &shown, nil
}

var updateClusterHas = check.Required[ecs.UpdateClusterInput]()

// UpdateCluster changes settings and configuration.
func (h *Handler) UpdateCluster(ctx context.Context, in *ecs.UpdateClusterInput) (*ecs.UpdateClusterOutput, error) {
	if err := updateClusterHas(in); err != nil {
		return nil, err
	}
	c, err := h.change(ctx, in.Cluster, func(_ store.Tx, c *compute.Cluster) error {
		settings, err := readSettings(in.Settings)
		if err != nil {
			return err
		}
		configuration, err := readConfiguration(in.Configuration)
		if err != nil {
			return err
		}
		if err := refuseServiceConnect(in.ServiceConnectDefaults); err != nil {
			return err
		}
		if settings != nil {
			c.Settings = settings
		}
		if configuration != nil {
			c.Configuration = configuration
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateClusterOutput{Cluster: c}, nil
}

var updateClusterSettingsHas = check.Required[ecs.UpdateClusterSettingsInput]()

// UpdateClusterSettings changes settings.
func (h *Handler) UpdateClusterSettings(ctx context.Context, in *ecs.UpdateClusterSettingsInput) (*ecs.UpdateClusterSettingsOutput, error) {
	if err := updateClusterSettingsHas(in); err != nil {
		return nil, err
	}
	c, err := h.change(ctx, in.Cluster, func(_ store.Tx, c *compute.Cluster) error {
		settings, err := readSettings(in.Settings)
		if err != nil {
			return err
		}
		if settings == nil {
			return check.Given("Settings", 0)
		}
		c.Settings = settings
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateClusterSettingsOutput{Cluster: c}, nil
}

var deleteClusterHas = check.Required[ecs.DeleteClusterInput]()

// DeleteCluster makes a cluster without work INACTIVE.
func (h *Handler) DeleteCluster(ctx context.Context, in *ecs.DeleteClusterInput) (*ecs.DeleteClusterOutput, error) {
	if err := deleteClusterHas(in); err != nil {
		return nil, err
	}
	c, err := h.change(ctx, in.Cluster, func(tx store.Tx, c *compute.Cluster) error {
		at := []string{c.Account, c.Region, c.Name}
		switch {
		case tables.Services.CountBy(tx, tables.ServicesByActivity, append(at, compute.Active)...) > 0:
			return ecs.ClusterContainsServicesException("The Cluster cannot be deleted while Services are active.")
		case tables.Tasks.CountBy(tx, tables.TasksByState, at...) > 0:
			return ecs.ClusterContainsTasksException("The Cluster cannot be deleted while Tasks are active.")
		case instances(tx, c) > 0:
			return ecs.ClusterContainsContainerInstancesException("The Cluster cannot be deleted while Container Instances are active or draining.")
		}
		c.Status = compute.Inactive
		c.DeletedAt = h.deps.Now().UTC().Truncate(time.Millisecond)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.DeleteClusterOutput{Cluster: c, ClusterCount: new(int32(0))}, nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

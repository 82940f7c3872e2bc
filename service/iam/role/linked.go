package role

import (
	"context"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// CreateServiceLinkedRole makes the role that is linked to a service.
func (h *Handler) CreateServiceLinkedRole(ctx context.Context, in *api.CreateServiceLinkedRoleInput) (*api.CreateServiceLinkedRoleOutput, error) {
	account, suffix := auth.CallerFrom(ctx).Account, call.Deref(in.CustomSuffix, "")
	role, suffixed, ok := identity.ServiceLinkedRole(account, *in.AWSServiceName, suffix, h.env.Time(), h.env.IDs)
	if !ok {
		return nil, api.InvalidInputException("Service-linked roles are not supported for " + *in.AWSServiceName)
	}
	if suffix != "" && !suffixed {
		return nil, api.InvalidInputException("Custom suffix is not allowed for " + *in.AWSServiceName)
	}
	role.Description = call.Deref(in.Description, role.Description)
	err := h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := tables.Roles.Find(tx, account, identity.Fold(role.Name)); ok || err != nil {
			return call.Either(err, api.InvalidInputException("Service role name "+role.Name+
				" has been taken in this account, please try a different suffix."))
		}
		return tables.Roles.Put(tx, &role)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceLinkedRoleOutput{Role: view.NewRole(&role)}, nil
}

// DeleteServiceLinkedRole deletes a service-linked role unless its service
// still needs it. The deletion task it answers is already over.
func (h *Handler) DeleteServiceLinkedRole(ctx context.Context, in *api.DeleteServiceLinkedRoleInput) (*api.DeleteServiceLinkedRoleOutput, error) {
	task := identity.DeletionTask{Account: auth.CallerFrom(ctx).Account, CreatedAt: h.env.Time()}
	id := h.env.IDs.UUID()
	err := h.env.Store.Update(ctx, func(tx store.Tx) error {
		role, err := look.Role(ctx, tx, *in.RoleName)
		if err != nil {
			return err
		}
		if role.LinkedTo == "" {
			return api.NoSuchEntityException("The service linked role with name " + *in.RoleName + " cannot be found.")
		}
		task.ID = "task" + role.Path + role.Name + "/" + id
		task.Status, task.Reason = identity.DeletionSucceeded, ""
		if task.Usage, err = usage(tx, &role); err != nil {
			return err
		}
		if len(task.Usage) > 0 {
			task.Status, task.Reason = identity.DeletionFailed, "Role in use."
		} else if err := removeRole(tx, &role); err != nil {
			return err
		}
		return tables.DeletionTasks.Put(tx, &task)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteServiceLinkedRoleOutput{DeletionTaskId: &task.ID}, nil
}

// usage is what still needs a service-linked role: the active clusters of every
// region for Amazon ECS. The other services have no resources.
func usage(tx store.Tx, role *identity.Role) ([]identity.Usage, error) {
	if role.LinkedTo != "ecs.amazonaws.com" {
		return nil, nil
	}
	var out []identity.Usage
	for c, err := range tables.Clusters.List(tx, role.Account) {
		if err != nil {
			return nil, err
		}
		if c.Status != compute.Active {
			continue
		}
		if n := len(out); n == 0 || out[n-1].Region != c.Region {
			out = append(out, identity.Usage{Region: c.Region})
		}
		last := &out[len(out)-1]
		last.Resources = append(last.Resources, c.ARN())
	}
	return out, nil
}

// GetServiceLinkedRoleDeletionStatus says how a deletion went.
func (h *Handler) GetServiceLinkedRoleDeletionStatus(ctx context.Context, in *api.GetServiceLinkedRoleDeletionStatusInput) (*api.GetServiceLinkedRoleDeletionStatusOutput, error) {
	var task identity.DeletionTask
	err := h.env.Store.View(ctx, func(tx store.Tx) (err error) {
		var ok bool
		task, ok, err = tables.DeletionTasks.Find(tx, auth.CallerFrom(ctx).Account, *in.DeletionTaskId)
		if err == nil && !ok {
			err = api.NoSuchEntityException("The deletion task with id " + *in.DeletionTaskId + " cannot be found.")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetServiceLinkedRoleDeletionStatusOutput{Status: &task.Status}
	if task.Reason != "" {
		out.Reason = &api.DeletionTaskFailureReasonType{Reason: &task.Reason}
		for _, u := range task.Usage {
			out.Reason.RoleUsageList = append(out.Reason.RoleUsageList, api.RoleUsageType{Region: &u.Region, Resources: u.Resources})
		}
	}
	return out, nil
}

// Package mfa answers IAM's operations on virtual MFA devices.
package mfa

import (
	"context"
	"slices"
	"strings"

	"rsc.io/qr"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/tag"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Quotas. Source: IAM and AWS STS quotas.
const (
	maxOfUser  = 8
	maxDevices = 10_000
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }

// find finds a device of the caller's account.
func find(ctx context.Context, tx store.Tx, serial string) (identity.MFADevice, error) {
	d, ok, err := identities.FindDevice(tx, serial)
	if err == nil && (!ok || d.Account != auth.CallerFrom(ctx).Account) {
		err = api.NoSuchEntityException("VirtualMFADevice with serial number " + serial + " doesn't exist.")
	}
	return d, err
}

// CreateVirtualMFADevice makes a device; its secret is told now and never again.
func (h *Handler) CreateVirtualMFADevice(ctx context.Context, in *api.CreateVirtualMFADeviceInput) (*api.CreateVirtualMFADeviceOutput, error) {
	d := identity.MFADevice{
		Account: auth.CallerFrom(ctx).Account, Path: call.Deref(in.Path, "/"), Name: *in.VirtualMFADeviceName, CreatedAt: h.env.Time(),
		Secret: h.env.IDs.Bytes(identity.MFASecretLen),
	}
	var err error
	if d.Tags, err = tag.Merge(nil, in.Tags, false); err != nil {
		return nil, err
	}
	code, err := qr.Encode(d.URL(), qr.L)
	if err != nil {
		return nil, call.Invalid("The name of the device is too long for a QR code.")
	}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := identities.Devices.Find(tx, d.Account, d.Path, d.Name); ok || err != nil {
			return call.Either(err, api.EntityAlreadyExistsException("MFADevice entity at the same path and name already exists."))
		}
		if tx.Count(store.Prefix(identities.Devices.Name, d.Account)) >= maxDevices {
			return call.Quota("MFADevicesPerAccount", maxDevices)
		}
		return identities.Devices.Put(tx, &d)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateVirtualMFADeviceOutput{VirtualMFADevice: &api.VirtualMFADevice{
		SerialNumber: new(d.SerialNumber()), Base32StringSeed: []byte(d.Seed()), QRCodePNG: code.PNG(), Tags: tag.List(d.Tags),
	}}, nil
}

// DeleteVirtualMFADevice deletes a device that nobody uses.
func (h *Handler) DeleteVirtualMFADevice(ctx context.Context, in *api.DeleteVirtualMFADeviceInput) (*api.DeleteVirtualMFADeviceOutput, error) {
	return &api.DeleteVirtualMFADeviceOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		d, err := find(ctx, tx, *in.SerialNumber)
		switch {
		case err != nil:
			return err
		case d.UserIs != "":
			return api.DeleteConflictException("MFA VirtualDevice in use. Must deactivate first.")
		}
		return identities.Devices.Delete(tx, d.Account, d.Path, d.Name)
	})
}

// EnableMFADevice gives a device to a user, who proves by two codes to have it.
func (h *Handler) EnableMFADevice(ctx context.Context, in *api.EnableMFADeviceInput) (*api.EnableMFADeviceOutput, error) {
	return &api.EnableMFADeviceOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		d, err := find(ctx, tx, *in.SerialNumber)
		switch {
		case err != nil:
			return err
		case d.UserIs != "":
			return api.EntityAlreadyExistsException("MFA device is already in use.")
		case identities.Devices.CountBy(tx, identities.DevicesByUser, u.Account, u.ID) >= maxOfUser:
			return call.Quota("MFADevicesPerUser", maxOfUser)
		case !d.Synchronize(*in.AuthenticationCode1, *in.AuthenticationCode2, h.env.Now()):
			return api.InvalidAuthenticationCodeException("Authentication code for device is not valid.")
		}
		d.User, d.UserIs, d.EnabledAt = u.Name, u.ID, h.env.Time()
		return identities.Devices.Put(tx, &d)
	})
}

// ofUser finds a device that a user has.
func ofUser(ctx context.Context, tx store.Tx, user, serial string) (d identity.MFADevice, err error) {
	u, err := look.User(ctx, tx, user)
	if err != nil {
		return d, err
	}
	d, ok, err := identities.FindDevice(tx, serial)
	if err == nil && (!ok || d.Account != u.Account || d.UserIs != u.ID) {
		err = api.NoSuchEntityException("MFA Device invalid for user.")
	}
	return d, err
}

// DeactivateMFADevice takes a device from a user.
func (h *Handler) DeactivateMFADevice(ctx context.Context, in *api.DeactivateMFADeviceInput) (*api.DeactivateMFADeviceOutput, error) {
	if in.UserName == nil {
		return nil, call.Invalid("Must specify userName.")
	}
	return &api.DeactivateMFADeviceOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		d, err := ofUser(ctx, tx, *in.UserName, *in.SerialNumber)
		if err != nil {
			return err
		}
		d.Release()
		return identities.Devices.Put(tx, &d)
	})
}

// ResyncMFADevice follows the clock of a device, which its user proves to have.
func (h *Handler) ResyncMFADevice(ctx context.Context, in *api.ResyncMFADeviceInput) (*api.ResyncMFADeviceOutput, error) {
	return &api.ResyncMFADeviceOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		d, err := ofUser(ctx, tx, *in.UserName, *in.SerialNumber)
		if err != nil {
			return err
		}
		if !d.Synchronize(*in.AuthenticationCode1, *in.AuthenticationCode2, h.env.Now()) {
			return api.InvalidAuthenticationCodeException("Authentication code for device is not valid.")
		}
		return identities.Devices.Put(tx, &d)
	})
}

// GetMFADevice shows a device, of a user where one is named.
func (h *Handler) GetMFADevice(ctx context.Context, in *api.GetMFADeviceInput) (*api.GetMFADeviceOutput, error) {
	var d identity.MFADevice
	err := h.env.Store.View(ctx, func(tx store.Tx) (err error) {
		if in.UserName != nil {
			d, err = ofUser(ctx, tx, *in.UserName, *in.SerialNumber)
			return err
		}
		d, err = find(ctx, tx, *in.SerialNumber)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetMFADeviceOutput{SerialNumber: new(d.SerialNumber())}
	if d.UserIs != "" {
		out.UserName, out.EnableDate = &d.User, &d.EnabledAt
	}
	return out, nil
}

// ListMFADevices lists the devices of a user, the caller where none is named.
func (h *Handler) ListMFADevices(ctx context.Context, in *api.ListMFADevicesInput) (*api.ListMFADevicesOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListMFADevices", call.Deref(in.UserName, ""))
	if err != nil {
		return nil, err
	}
	all := []api.MFADevice{}
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		all = all[:0]
		name := call.Deref(in.UserName, "")
		if name == "" {
			if name, err = look.Self(ctx, tx); err != nil || name == "" {
				return err // the root user has none
			}
		}
		u, err := look.User(ctx, tx, name)
		if err != nil {
			return err
		}
		for d, err := range identities.Devices.By(tx, identities.DevicesByUser, u.Account, u.ID) {
			if err != nil {
				return err
			}
			all = append(all, api.MFADevice{SerialNumber: new(d.SerialNumber()), UserName: &d.User, EnableDate: &d.EnabledAt})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListMFADevicesOutput{}
	out.MFADevices, out.IsTruncated, out.Marker = call.Numbered(h.env, w, all)
	return out, nil
}

// ListVirtualMFADevices lists all devices, or those that somebody, or nobody, has.
func (h *Handler) ListVirtualMFADevices(ctx context.Context, in *api.ListVirtualMFADevicesInput) (*api.ListVirtualMFADevicesOutput, error) {
	which := call.Deref(in.AssignmentStatus, "Any")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListVirtualMFADevices", which)
	if err != nil {
		return nil, err
	}
	type listed struct {
		identity.MFADevice
		user *api.User
	}
	var all []listed
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		all = nil
		for d, err := range identities.Devices.List(tx, auth.CallerFrom(ctx).Account) {
			if err != nil {
				return err
			}
			if used := d.UserIs != ""; which == "Assigned" && !used || which == "Unassigned" && used {
				continue
			}
			l := listed{MFADevice: d}
			if d.User != "" {
				u, err := tables.Users.Get(tx, d.Account, identity.Fold(d.User))
				if err != nil {
					return err
				}
				l.user = view.ListedUser(&u)
			}
			all = append(all, l)
		}
		slices.SortFunc(all, func(a, b listed) int { return strings.Compare(a.SerialNumber(), b.SerialNumber()) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListVirtualMFADevicesOutput{VirtualMFADevices: []api.VirtualMFADevice{}}
	all, out.IsTruncated, out.Marker = call.Cut(h.env, w, all, func(l listed) string { return l.SerialNumber() })
	for _, l := range all {
		v := api.VirtualMFADevice{SerialNumber: new(l.SerialNumber()), User: l.user}
		if l.UserIs != "" {
			v.EnableDate = &l.EnabledAt
		}
		out.VirtualMFADevices = append(out.VirtualMFADevices, v)
	}
	return out, nil
}

// change lets f change a device and stores it.
func (h *Handler) change(ctx context.Context, serial string, f func(*identity.MFADevice) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		d, err := find(ctx, tx, serial)
		if err != nil {
			return err
		}
		if err := f(&d); err != nil {
			return err
		}
		return identities.Devices.Put(tx, &d)
	})
}

// TagMFADevice adds tags to a device.
func (h *Handler) TagMFADevice(ctx context.Context, in *api.TagMFADeviceInput) (*api.TagMFADeviceOutput, error) {
	return &api.TagMFADeviceOutput{}, h.change(ctx, *in.SerialNumber, func(d *identity.MFADevice) (err error) {
		d.Tags, err = tag.Add(d.Tags, in.Tags, false)
		return err
	})
}

// UntagMFADevice takes tags from a device.
func (h *Handler) UntagMFADevice(ctx context.Context, in *api.UntagMFADeviceInput) (*api.UntagMFADeviceOutput, error) {
	return &api.UntagMFADeviceOutput{}, h.change(ctx, *in.SerialNumber, func(d *identity.MFADevice) error {
		d.Tags = tag.Drop(d.Tags, in.TagKeys, false)
		return nil
	})
}

// ListMFADeviceTags lists the tags of a device.
func (h *Handler) ListMFADeviceTags(ctx context.Context, in *api.ListMFADeviceTagsInput) (*api.ListMFADeviceTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListMFADeviceTags", *in.SerialNumber)
	if err != nil {
		return nil, err
	}
	var d identity.MFADevice
	err = h.env.Store.View(ctx, func(tx store.Tx) (err error) {
		d, err = find(ctx, tx, *in.SerialNumber)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListMFADeviceTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(d.Tags))
	return out, nil
}

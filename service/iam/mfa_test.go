package iam

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"
	"testing"
	"time"

	api "neargate/aws/iam"
	"neargate/resource/identity"
)

// codes are two that a device shows in succession, from a number of steps after the
// start on.
func codes(seed []byte, step int) (first, second *string) {
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(string(seed))
	if err != nil {
		panic(err)
	}
	d := identity.MFADevice{Secret: secret}
	at := start.Add(time.Duration(step) * 30 * time.Second)
	return new(d.Code(at)), new(d.Code(at.Add(30 * time.Second)))
}

// TestMFADevices makes a device, gives it to a user, and takes it away again.
func TestMFADevices(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.user("bob")
	const serial = "arn:aws:iam::123456789012:mfa/team/phone"
	ann, id := new("ann"), new(serial)
	made, err := w.CreateVirtualMFADevice(w.ctx, &api.CreateVirtualMFADeviceInput{Path: new("/team/"), VirtualMFADeviceName: new("phone"), Tags: []api.Tag{tagged("a", "1")}})
	w.must(err)
	v := made.VirtualMFADevice
	if *v.SerialNumber != serial || len(v.Base32StringSeed) != 64 || len(v.Tags) != 1 {
		t.Errorf("%+v", v)
	}
	if _, err := png.Decode(bytes.NewReader(v.QRCodePNG)); err != nil {
		t.Error(err)
	}
	_, err = w.CreateVirtualMFADevice(w.ctx, &api.CreateVirtualMFADeviceInput{Path: new("/team/"), VirtualMFADeviceName: new("phone")})
	w.fails(err, "EntityAlreadyExistsException: MFADevice entity at the same path and name already exists.")

	one, two := codes(v.Base32StringSeed, 2)
	enable := func(user string, one, two *string) error {
		_, err := w.EnableMFADevice(w.ctx, &api.EnableMFADeviceInput{UserName: &user, SerialNumber: id, AuthenticationCode1: one, AuthenticationCode2: two})
		return err
	}
	w.fails(enable("ann", two, one), "InvalidAuthenticationCodeException: Authentication code for device is not valid.")
	w.fails(enable("eve", one, two), "NoSuchEntityException: The user with name eve cannot be found.")
	w.must(enable("ann", one, two))
	w.fails(enable("bob", one, two), "EntityAlreadyExistsException: MFA device is already in use.")
	list, err := w.ListMFADevices(w.ctx, &api.ListMFADevicesInput{UserName: ann})
	w.must(err)
	if len(list.MFADevices) != 1 || *list.MFADevices[0].SerialNumber != serial || *list.MFADevices[0].UserName != "ann" || !list.MFADevices[0].EnableDate.Equal(start.Truncate(time.Second)) {
		t.Errorf("%+v", list)
	}
	_, err = w.DeleteVirtualMFADevice(w.ctx, &api.DeleteVirtualMFADeviceInput{SerialNumber: id})
	w.fails(err, "DeleteConflictException: MFA VirtualDevice in use. Must deactivate first.")
	_, err = w.DeleteUser(w.ctx, &api.DeleteUserInput{UserName: ann})
	w.fails(err, "DeleteConflictException: Cannot delete entity, must delete MFA device first.")

	// The device follows its user's name, and its clock is followed.
	_, err = w.UpdateUser(w.ctx, &api.UpdateUserInput{UserName: ann, NewUserName: new("anna")})
	w.must(err)
	got, err := w.GetMFADevice(w.ctx, &api.GetMFADeviceInput{SerialNumber: id, UserName: new("anna")})
	w.must(err)
	if *got.UserName != "anna" {
		t.Errorf("%+v", got)
	}
	_, err = w.GetMFADevice(w.ctx, &api.GetMFADeviceInput{SerialNumber: id, UserName: new("bob")})
	w.fails(err, "NoSuchEntityException: MFA Device invalid for user.")
	resync := func(one, two *string) error {
		_, err := w.ResyncMFADevice(w.ctx, &api.ResyncMFADeviceInput{UserName: new("anna"), SerialNumber: id, AuthenticationCode1: one, AuthenticationCode2: two})
		return err
	}
	w.fails(resync(one, two), "InvalidAuthenticationCodeException: Authentication code for device is not valid.") // used
	w.must(resync(codes(v.Base32StringSeed, 7)))

	_, err = w.TagMFADevice(w.ctx, &api.TagMFADeviceInput{SerialNumber: id, Tags: []api.Tag{tagged("b", "2")}})
	w.must(err)
	_, err = w.UntagMFADevice(w.ctx, &api.UntagMFADeviceInput{SerialNumber: id, TagKeys: []string{"a"}})
	w.must(err)
	tags, err := w.ListMFADeviceTags(w.ctx, &api.ListMFADeviceTagsInput{SerialNumber: id})
	w.must(err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "b" {
		t.Errorf("%+v", tags)
	}

	deactivate := func(user string) error {
		_, err := w.DeactivateMFADevice(w.ctx, &api.DeactivateMFADeviceInput{UserName: &user, SerialNumber: id})
		return err
	}
	w.fails(deactivate("bob"), "NoSuchEntityException: MFA Device invalid for user.")
	w.must(deactivate("anna"))
	w.fails(deactivate("anna"), "NoSuchEntityException: MFA Device invalid for user.")
	_, err = w.DeleteVirtualMFADevice(w.ctx, &api.DeleteVirtualMFADeviceInput{SerialNumber: id})
	w.must(err)
	_, err = w.DeleteVirtualMFADevice(w.ctx, &api.DeleteVirtualMFADeviceInput{SerialNumber: id})
	w.fails(err, "NoSuchEntityException: VirtualMFADevice with serial number "+serial+" doesn't exist.")
}

// TestMFALists pages through devices, and fills a user's hands.
func TestMFALists(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	for i := range 9 {
		made, err := w.CreateVirtualMFADevice(w.ctx, &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: new(fmt.Sprint("d", i))})
		w.must(err)
		one, two := codes(made.VirtualMFADevice.Base32StringSeed, 0)
		_, err = w.EnableMFADevice(w.ctx, &api.EnableMFADeviceInput{UserName: new("ann"), SerialNumber: made.VirtualMFADevice.SerialNumber, AuthenticationCode1: one, AuthenticationCode2: two})
		if i == 8 {
			w.fails(err, "LimitExceededException: Cannot exceed quota for MFADevicesPerUser: 8")
		} else {
			w.must(err)
		}
	}
	for status, want := range map[string]string{"Any": "d0 d1 d2 d3 d4 d5 d6 d7 d8", "Assigned": "d0 d1 d2 d3 d4 d5 d6 d7", "Unassigned": "d8"} {
		var names []string
		for marker, more := (*string)(nil), true; more; {
			out, err := w.ListVirtualMFADevices(w.ctx, &api.ListVirtualMFADevicesInput{AssignmentStatus: &status, Marker: marker, MaxItems: new(int32(3))})
			w.must(err)
			for _, v := range out.VirtualMFADevices {
				if v.Base32StringSeed != nil || v.QRCodePNG != nil || (v.User != nil) != (v.EnableDate != nil) {
					t.Errorf("%+v", v)
				}
				names = append(names, (*v.SerialNumber)[strings.LastIndex(*v.SerialNumber, "/")+1:])
			}
			marker, more = out.Marker, *out.IsTruncated
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s", status, got)
		}
	}
	own, err := w.ListMFADevices(w.ctx, &api.ListMFADevicesInput{UserName: new("ann"), MaxItems: new(int32(5))})
	w.must(err)
	rest, err := w.ListMFADevices(w.ctx, &api.ListMFADevicesInput{UserName: new("ann"), Marker: own.Marker})
	w.must(err)
	if len(own.MFADevices) != 5 || len(rest.MFADevices) != 3 {
		t.Errorf("%d and %d", len(own.MFADevices), len(rest.MFADevices))
	}
	sum, err := w.GetAccountSummary(w.ctx, &api.GetAccountSummaryInput{})
	w.must(err)
	if sum.SummaryMap["MFADevices"] != 9 || sum.SummaryMap["MFADevicesInUse"] != 8 {
		t.Errorf("%v", sum.SummaryMap)
	}
}

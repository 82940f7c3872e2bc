package iam

import (
	"fmt"
	"slices"
	"testing"

	"neargate/auth"
	api "neargate/aws/iam"
)

func (w *world) group(name string) {
	w.t.Helper()
	_, err := w.CreateGroup(w.ctx, &api.CreateGroupInput{GroupName: &name})
	w.must(err)
}

// TestGroups makes a group, lets members in and out and renames it: what the group may,
// its members may with the next call.
func TestGroups(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	key, err := w.CreateAccessKey(w.ctx, &api.CreateAccessKeyInput{UserName: new("ann")})
	w.must(err)
	dir := auth.NewDirectory(w.deps.Store, w.deps.Now)
	may := func() bool {
		cred, err := dir.Lookup(t.Context(), *key.AccessKey.AccessKeyId, "")
		w.must(err)
		cred.Caller.Region = "us-east-1"
		return dir.Authorize(t.Context(), cred.Caller, auth.Call{Service: "ecs", Operation: "ListClusters", Input: &struct{}{}}) == nil
	}
	made, err := w.CreateGroup(w.ctx, &api.CreateGroupInput{GroupName: new("Ops"), Path: new("/team/")})
	w.must(err)
	if *made.Group.Arn != "arn:aws:iam::123456789012:group/team/Ops" || (*made.Group.GroupId)[:4] != "AGPA" {
		t.Errorf("%+v", made.Group)
	}
	_, err = w.CreateGroup(w.ctx, &api.CreateGroupInput{GroupName: new("OPS")})
	w.fails(err, "EntityAlreadyExistsException: Group with name OPS already exists.")
	_, err = w.AttachGroupPolicy(w.ctx, &api.AttachGroupPolicyInput{GroupName: new("ops"), PolicyArn: new(admin)})
	w.must(err)
	add := func(group, user string) error {
		_, err := w.AddUserToGroup(w.ctx, &api.AddUserToGroupInput{GroupName: &group, UserName: &user})
		return err
	}
	w.fails(add("none", "ann"), "NoSuchEntityException: The group with name none cannot be found.")
	w.fails(add("ops", "bob"), "NoSuchEntityException: The user with name bob cannot be found.")
	if may() {
		t.Error("may before being a member")
	}
	w.must(add("ops", "ann"))
	w.must(add("ops", "ann"))
	if !may() {
		t.Error("may not as a member")
	}
	_, err = w.UpdateGroup(w.ctx, &api.UpdateGroupInput{GroupName: new("ops"), NewGroupName: new("Dev"), NewPath: new("/")})
	w.must(err)
	got, err := w.GetGroup(w.ctx, &api.GetGroupInput{GroupName: new("dev")})
	w.must(err)
	if *got.Group.Arn != "arn:aws:iam::123456789012:group/Dev" || len(got.Users) != 1 || *got.Users[0].UserName != "ann" || !may() {
		t.Errorf("renamed: %+v", got)
	}
	of, err := w.ListGroupsForUser(w.ctx, &api.ListGroupsForUserInput{UserName: new("ann")})
	w.must(err)
	if len(of.Groups) != 1 || *of.Groups[0].GroupName != "Dev" {
		t.Errorf("%+v", of.Groups)
	}
	entities, err := w.ListEntitiesForPolicy(w.ctx, &api.ListEntitiesForPolicyInput{PolicyArn: new(admin)})
	w.must(err)
	if len(entities.PolicyGroups) != 1 || *entities.PolicyGroups[0].GroupName != "Dev" {
		t.Errorf("%+v", entities)
	}
	_, err = w.DeleteUser(w.ctx, &api.DeleteUserInput{UserName: new("ann")})
	w.fails(err, "DeleteConflictException: Cannot delete entity, must remove users from group first.")
	remove := func(group string) error {
		_, err := w.RemoveUserFromGroup(w.ctx, &api.RemoveUserFromGroupInput{GroupName: &group, UserName: new("ann")})
		return err
	}
	del := func() error {
		_, err := w.DeleteGroup(w.ctx, &api.DeleteGroupInput{GroupName: new("dev")})
		return err
	}
	w.fails(del(), "DeleteConflictException: Cannot delete entity, must remove users from group first.")
	w.must(remove("dev"))
	w.fails(remove("dev"), "NoSuchEntityException: User ann not in group Dev")
	if may() {
		t.Error("may after leaving")
	}
	w.fails(del(), "DeleteConflictException: Cannot delete entity, must detach all policies first.")
	_, err = w.DetachGroupPolicy(w.ctx, &api.DetachGroupPolicyInput{GroupName: new("dev"), PolicyArn: new(admin)})
	w.must(err)
	_, err = w.PutGroupPolicy(w.ctx, &api.PutGroupPolicyInput{GroupName: new("dev"), PolicyName: new("p"), PolicyDocument: new(allow)})
	w.must(err)
	inline, err := w.GetGroupPolicy(w.ctx, &api.GetGroupPolicyInput{GroupName: new("dev"), PolicyName: new("P")})
	w.must(err)
	if *inline.GroupName != "Dev" || *inline.PolicyName != "P" {
		t.Errorf("%+v", inline)
	}
	w.fails(del(), "DeleteConflictException: Cannot delete entity, must delete policies first.")
	_, err = w.DeleteGroupPolicy(w.ctx, &api.DeleteGroupPolicyInput{GroupName: new("dev"), PolicyName: new("p")})
	w.must(err)
	w.must(del())
	w.fails(del(), "NoSuchEntityException: The group with name dev cannot be found.")
	for i := range 11 {
		w.group(fmt.Sprint("g", i))
		if err := add(fmt.Sprint("g", i), "ann"); i < 10 {
			w.must(err)
		} else {
			w.fails(err, "LimitExceededException: Cannot exceed quota for GroupsPerUser: 10")
		}
	}
}

func TestListGroupsPages(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprint("g", i))
		w.group(want[i])
	}
	var got []string
	in := &api.ListGroupsInput{MaxItems: new(int32(2))}
	for {
		out, err := w.ListGroups(w.ctx, in)
		w.must(err)
		for _, g := range out.Groups {
			got = append(got, *g.GroupName)
		}
		if in.Marker = out.Marker; in.Marker == nil {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
	// Members come in pages too.
	for i := range 3 {
		w.user(fmt.Sprint("u", i))
		_, err := w.AddUserToGroup(w.ctx, &api.AddUserToGroupInput{GroupName: new("g0"), UserName: new(fmt.Sprint("u", i))})
		w.must(err)
	}
	first, err := w.GetGroup(w.ctx, &api.GetGroupInput{GroupName: new("g0"), MaxItems: new(int32(2))})
	w.must(err)
	second, err := w.GetGroup(w.ctx, &api.GetGroupInput{GroupName: new("g0"), Marker: first.Marker})
	w.must(err)
	if len(first.Users) != 2 || len(second.Users) != 1 || *second.Users[0].UserName != "u2" || *second.IsTruncated {
		t.Errorf("%+v %+v", first, second)
	}
}

func TestInstanceProfiles(t *testing.T) {
	w := newWorld(t)
	w.role("app")
	w.role("other")
	made, err := w.CreateInstanceProfile(w.ctx, &api.CreateInstanceProfileInput{InstanceProfileName: new("P"), Tags: []api.Tag{tagged("k", "v")}})
	w.must(err)
	if *made.InstanceProfile.Arn != "arn:aws:iam::123456789012:instance-profile/P" || made.InstanceProfile.Roles == nil || len(made.InstanceProfile.Tags) != 1 {
		t.Errorf("%+v", made.InstanceProfile)
	}
	_, err = w.CreateInstanceProfile(w.ctx, &api.CreateInstanceProfileInput{InstanceProfileName: new("p")})
	w.fails(err, "EntityAlreadyExistsException: Instance Profile p already exists.")
	add := func(role string) error {
		_, err := w.AddRoleToInstanceProfile(w.ctx, &api.AddRoleToInstanceProfileInput{InstanceProfileName: new("p"), RoleName: &role})
		return err
	}
	w.must(add("app"))
	w.fails(add("other"), "LimitExceededException: Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	got, err := w.GetInstanceProfile(w.ctx, &api.GetInstanceProfileInput{InstanceProfileName: new("P")})
	w.must(err)
	if len(got.InstanceProfile.Roles) != 1 || *got.InstanceProfile.Roles[0].RoleName != "app" {
		t.Errorf("%+v", got.InstanceProfile)
	}
	of, err := w.ListInstanceProfilesForRole(w.ctx, &api.ListInstanceProfilesForRoleInput{RoleName: new("app")})
	w.must(err)
	if len(of.InstanceProfiles) != 1 {
		t.Errorf("%+v", of)
	}
	_, err = w.DeleteInstanceProfile(w.ctx, &api.DeleteInstanceProfileInput{InstanceProfileName: new("p")})
	w.fails(err, "DeleteConflictException: Cannot delete entity, must remove roles from instance profile first.")
	_, err = w.DeleteRole(w.ctx, &api.DeleteRoleInput{RoleName: new("app")})
	w.fails(err, "DeleteConflictException: Cannot delete entity, must remove roles from instance profile first.")
	_, err = w.RemoveRoleFromInstanceProfile(w.ctx, &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: new("p"), RoleName: new("other")})
	w.fails(err, "NoSuchEntityException: The role with name other cannot be found.")
	_, err = w.RemoveRoleFromInstanceProfile(w.ctx, &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: new("p"), RoleName: new("app")})
	w.must(err)
	_, err = w.DeleteInstanceProfile(w.ctx, &api.DeleteInstanceProfileInput{InstanceProfileName: new("p")})
	w.must(err)
	_, err = w.GetInstanceProfile(w.ctx, &api.GetInstanceProfileInput{InstanceProfileName: new("p")})
	w.fails(err, "NoSuchEntityException: Instance Profile p cannot be found.")
}

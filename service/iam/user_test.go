package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

func (w *world) user(name string) *api.User {
	w.t.Helper()
	out, err := w.CreateUser(w.ctx, &api.CreateUserInput{UserName: &name})
	w.must(err)
	return out.User
}

func (w *world) key(user string) *api.AccessKey {
	w.t.Helper()
	out, err := w.CreateAccessKey(w.ctx, &api.CreateAccessKeyInput{UserName: &user})
	w.must(err)
	return out.AccessKey
}

// as is the context of a user's call with a key.
func (w *world) as(u *api.User, k *api.AccessKey) context.Context {
	return auth.WithCaller(w.ctx, auth.Caller{Account: acct, ARN: *u.Arn, UserID: *u.UserId, AccessKeyID: *k.AccessKeyId})
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreateUser(w.ctx, &api.CreateUserInput{
		UserName: new("Ann"), Path: new("/team/"), PermissionsBoundary: new(admin), Tags: []api.Tag{tagged("k", "v")},
	})
	w.must(err)
	u := made.User
	if *u.Arn != "arn:aws:iam::123456789012:user/team/Ann" || !strings.HasPrefix(*u.UserId, "AIDA") || u.CreateDate.Nanosecond() != 0 ||
		*u.PermissionsBoundary.PermissionsBoundaryArn != admin || len(u.Tags) != 1 {
		t.Errorf("created %+v", u)
	}
	key := w.key("Ann")
	list, err := w.ListUsers(w.ctx, &api.ListUsersInput{PathPrefix: new("/team/")})
	w.must(err)
	if l := list.Users[0]; *l.UserName != "Ann" || l.Tags != nil || l.PermissionsBoundary != nil || *list.IsTruncated {
		t.Errorf("listed %+v", list)
	}
	w.user("bob")
	list, err = w.ListUsers(w.ctx, &api.ListUsersInput{PathPrefix: new("/team/")})
	w.must(err)
	if len(list.Users) != 1 {
		t.Errorf("listed %+v", list.Users)
	}

	_, err = w.UpdateUser(w.ctx, &api.UpdateUserInput{UserName: new("ann"), NewUserName: new("Anna"), NewPath: new("/")})
	w.must(err)
	got, err := w.GetUser(w.as(u, key), &api.GetUserInput{})
	w.must(err)
	if *got.User.Arn != "arn:aws:iam::123456789012:user/Anna" || *got.User.UserId != *u.UserId || len(got.User.Tags) != 1 {
		t.Errorf("renamed %+v", got.User)
	}
	_, err = w.UpdateUser(w.ctx, &api.UpdateUserInput{UserName: new("anna"), NewUserName: new("ANNA")})
	w.must(err)
	keys, err := w.ListAccessKeys(w.ctx, &api.ListAccessKeysInput{UserName: new("anna")})
	w.must(err)
	if k := keys.AccessKeyMetadata[0]; *k.UserName != "ANNA" || *k.AccessKeyId != *key.AccessKeyId || *k.Status != "Active" {
		t.Errorf("key %+v", k)
	}
	groups, err := w.ListGroupsForUser(w.ctx, &api.ListGroupsForUserInput{UserName: new("anna")})
	w.must(err)
	if len(groups.Groups) != 0 || *groups.IsTruncated {
		t.Errorf("groups %+v", groups)
	}
}

func TestUserErrors(t *testing.T) {
	const noBob = "NoSuchEntityException: The user with name bob cannot be found."
	w := newWorld(t)
	w.user("ann")
	w.user("al")
	bob := new("bob")
	for want, calls := range map[string][]func() error{
		noBob: {
			func() error { _, err := w.GetUser(w.ctx, &api.GetUserInput{UserName: bob}); return err },
			func() error { _, err := w.UpdateUser(w.ctx, &api.UpdateUserInput{UserName: bob}); return err },
			func() error { _, err := w.DeleteUser(w.ctx, &api.DeleteUserInput{UserName: bob}); return err },
			func() error {
				_, err := w.TagUser(w.ctx, &api.TagUserInput{UserName: bob, Tags: []api.Tag{tagged("k", "v")}})
				return err
			},
			func() error { _, err := w.CreateAccessKey(w.ctx, &api.CreateAccessKeyInput{UserName: bob}); return err },
			func() error { _, err := w.ListAccessKeys(w.ctx, &api.ListAccessKeysInput{UserName: bob}); return err },
			func() error {
				_, err := w.ListGroupsForUser(w.ctx, &api.ListGroupsForUserInput{UserName: bob})
				return err
			},
			func() error {
				_, err := w.AttachUserPolicy(w.ctx, &api.AttachUserPolicyInput{UserName: bob, PolicyArn: new(admin)})
				return err
			},
			func() error {
				_, err := w.ListUserPolicies(w.ctx, &api.ListUserPoliciesInput{UserName: bob})
				return err
			},
		},
		"EntityAlreadyExistsException: User with name ANN already exists.": {
			func() error { _, err := w.CreateUser(w.ctx, &api.CreateUserInput{UserName: new("ANN")}); return err },
			func() error {
				_, err := w.UpdateUser(w.ctx, &api.UpdateUserInput{UserName: new("al"), NewUserName: new("ANN")})
				return err
			},
		},
		"NoSuchEntityException: Scope ARN: arn:aws:iam::aws:policy/None does not exist or is not attachable.": {
			func() error {
				_, err := w.CreateUser(w.ctx, &api.CreateUserInput{UserName: new("c"), PermissionsBoundary: new("arn:aws:iam::aws:policy/None")})
				return err
			},
		},
		"NoSuchEntityException: User ann does not have a permissions boundary.": {
			func() error {
				_, err := w.DeleteUserPermissionsBoundary(w.ctx, &api.DeleteUserPermissionsBoundaryInput{UserName: new("ann")})
				return err
			},
		},
		"ValidationError: Invalid Marker.": {
			func() error { _, err := w.ListUsers(w.ctx, &api.ListUsersInput{Marker: new("x")}); return err },
		},
	} {
		for _, call := range calls {
			w.fails(call(), want)
		}
	}
}

func TestDeleteUser(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	ann := new("ann")
	key := w.key("ann")
	_, err := w.PutUserPolicy(w.ctx, &api.PutUserPolicyInput{UserName: ann, PolicyName: new("p"), PolicyDocument: new(allow)})
	w.must(err)
	_, err = w.AttachUserPolicy(w.ctx, &api.AttachUserPolicyInput{UserName: ann, PolicyArn: new(admin)})
	w.must(err)
	for _, step := range []struct {
		conflict string
		mend     func() error
	}{
		{"must detach all policies first", func() error {
			_, err := w.DetachUserPolicy(w.ctx, &api.DetachUserPolicyInput{UserName: ann, PolicyArn: new(admin)})
			return err
		}},
		{"must delete policies first", func() error {
			_, err := w.DeleteUserPolicy(w.ctx, &api.DeleteUserPolicyInput{UserName: ann, PolicyName: new("P")})
			return err
		}},
		{"must delete access keys first", func() error {
			_, err := w.DeleteAccessKey(w.ctx, &api.DeleteAccessKeyInput{UserName: ann, AccessKeyId: key.AccessKeyId})
			return err
		}},
	} {
		_, err := w.DeleteUser(w.ctx, &api.DeleteUserInput{UserName: ann})
		w.fails(err, "DeleteConflictException: Cannot delete entity, "+step.conflict+".")
		w.must(step.mend())
	}
	_, err = w.DeleteUser(w.ctx, &api.DeleteUserInput{UserName: ann})
	w.must(err)
	_, err = w.GetUser(w.ctx, &api.GetUserInput{UserName: ann})
	w.fails(err, "NoSuchEntityException: The user with name ann cannot be found.")
}

func TestListUsersPages(t *testing.T) {
	w := newWorld(t)
	var want, got []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("user-%d", i))
		w.user(fmt.Sprintf("user-%d", 6-i))
	}
	in := &api.ListUsersInput{MaxItems: new(int32(3))}
	for pages := 1; ; pages++ {
		out, err := w.ListUsers(w.ctx, in)
		w.must(err)
		for _, u := range out.Users {
			got = append(got, *u.UserName)
		}
		if !*out.IsTruncated {
			if pages != 3 || out.Marker != nil {
				t.Errorf("%d pages, marker %v", pages, out.Marker)
			}
			break
		}
		in.Marker = out.Marker
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
}

func TestUserPolicies(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	ann := new("ann")
	for _, name := range []string{"MixedName", "mixedname", "b", "a"} {
		_, err := w.PutUserPolicy(w.ctx, &api.PutUserPolicyInput{UserName: ann, PolicyName: &name, PolicyDocument: new(allow)})
		w.must(err)
	}
	first, err := w.ListUserPolicies(w.ctx, &api.ListUserPoliciesInput{UserName: ann, MaxItems: new(int32(2))})
	w.must(err)
	second, err := w.ListUserPolicies(w.ctx, &api.ListUserPoliciesInput{UserName: ann, Marker: first.Marker})
	w.must(err)
	if got := append(first.PolicyNames, second.PolicyNames...); !slices.Equal(got, []string{"a", "b", "MixedName"}) || *second.IsTruncated {
		t.Errorf("listed %v", got)
	}
	p, err := w.GetUserPolicy(w.ctx, &api.GetUserPolicyInput{UserName: new("ANN"), PolicyName: new("B")})
	w.must(err)
	if *p.UserName != "ann" || *p.PolicyName != "B" || !strings.Contains(*p.PolicyDocument, "%22s3%3A%2A%22") {
		t.Errorf("%+v", p)
	}
	_, err = w.GetUserPolicy(w.ctx, &api.GetUserPolicyInput{UserName: ann, PolicyName: new("c")})
	w.fails(err, "NoSuchEntityException: The user policy with name c cannot be found.")
	_, err = w.PutUserPolicy(w.ctx, &api.PutUserPolicyInput{UserName: ann, PolicyName: new("c"), PolicyDocument: new("{}")})
	w.fails(err, "MalformedPolicyDocumentException: Syntax errors in policy.")
	big := strings.Replace(allow, `"s3:*"`, `"s3:`+strings.Repeat("x", 2048)+`"`, 1)
	_, err = w.PutUserPolicy(w.ctx, &api.PutUserPolicyInput{UserName: ann, PolicyName: new("c"), PolicyDocument: &big})
	w.fails(err, "LimitExceededException: Maximum policy size of 2048 bytes exceeded for user ann")

	for i := range 10 {
		_, err := w.AttachUserPolicy(w.ctx, &api.AttachUserPolicyInput{UserName: ann, PolicyArn: w.policy(fmt.Sprintf("m%d", i))})
		w.must(err)
	}
	_, err = w.AttachUserPolicy(w.ctx, &api.AttachUserPolicyInput{UserName: ann, PolicyArn: new(admin)})
	w.fails(err, "LimitExceededException: Cannot exceed quota for PoliciesPerUser: 10")
	page, err := w.ListAttachedUserPolicies(w.ctx, &api.ListAttachedUserPoliciesInput{UserName: ann, MaxItems: new(int32(9))})
	w.must(err)
	last, err := w.ListAttachedUserPolicies(w.ctx, &api.ListAttachedUserPoliciesInput{UserName: ann, Marker: page.Marker})
	w.must(err)
	if len(page.AttachedPolicies) != 9 || len(last.AttachedPolicies) != 1 || *last.AttachedPolicies[0].PolicyName != "m9" {
		t.Errorf("%+v %+v", page, last)
	}
	_, err = w.DetachUserPolicy(w.ctx, &api.DetachUserPolicyInput{UserName: ann, PolicyArn: new(admin)})
	w.fails(err, "NoSuchEntityException: Policy "+admin+" was not found.")
	_, err = w.PutUserPermissionsBoundary(w.ctx, &api.PutUserPermissionsBoundaryInput{UserName: ann, PermissionsBoundary: new(admin)})
	w.must(err)
	by, err := w.ListEntitiesForPolicy(w.ctx, &api.ListEntitiesForPolicyInput{PolicyArn: new(admin)})
	w.must(err)
	if len(by.PolicyUsers) != 1 || *by.PolicyUsers[0].UserName != "ann" {
		t.Errorf("%+v", by)
	}
}

func TestUserTags(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	ann := new("ann")
	for _, tags := range [][]api.Tag{{tagged("Team", "red"), tagged("b", "1")}, {tagged("team", "blue")}} {
		_, err := w.TagUser(w.ctx, &api.TagUserInput{UserName: ann, Tags: tags})
		w.must(err)
	}
	_, err := w.TagUser(w.ctx, &api.TagUserInput{UserName: ann, Tags: []api.Tag{tagged("AWS:x", "")}})
	w.fails(err, "InvalidInputException: Tag keys beginning with aws: are reserved for system use.")
	first, err := w.ListUserTags(w.ctx, &api.ListUserTagsInput{UserName: ann, MaxItems: new(int32(1))})
	w.must(err)
	second, err := w.ListUserTags(w.ctx, &api.ListUserTagsInput{UserName: ann, Marker: first.Marker})
	w.must(err)
	if got := append(first.Tags, second.Tags...); len(got) != 2 || *got[0].Key != "team" || *got[0].Value != "blue" || *got[1].Key != "b" {
		t.Errorf("%d tags", len(got))
	}
	_, err = w.UntagUser(w.ctx, &api.UntagUserInput{UserName: ann, TagKeys: []string{"TEAM", "none"}})
	w.must(err)
	left, err := w.ListUserTags(w.ctx, &api.ListUserTagsInput{UserName: ann})
	w.must(err)
	if len(left.Tags) != 1 || *left.Tags[0].Key != "b" {
		t.Errorf("%d tags left", len(left.Tags))
	}
}

func TestAccessKeys(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.user("ann"), w.user("bob")
	first := w.key("ANN")
	if *first.UserName != "ann" || *first.Status != "Active" || len(*first.SecretAccessKey) != 40 || !strings.HasPrefix(*first.AccessKeyId, "AKIA") {
		t.Errorf("made %+v", first)
	}
	self := w.as(ann, first)
	second, err := w.CreateAccessKey(self, &api.CreateAccessKeyInput{})
	w.must(err)
	_, err = w.CreateAccessKey(self, &api.CreateAccessKeyInput{})
	w.fails(err, "LimitExceededException: Cannot exceed quota for AccessKeysPerUser: 2")

	page, err := w.ListAccessKeys(self, &api.ListAccessKeysInput{MaxItems: new(int32(1))})
	w.must(err)
	last, err := w.ListAccessKeys(self, &api.ListAccessKeysInput{Marker: page.Marker})
	w.must(err)
	got := []string{*page.AccessKeyMetadata[0].AccessKeyId, *last.AccessKeyMetadata[0].AccessKeyId}
	want := []string{*first.AccessKeyId, *second.AccessKey.AccessKeyId}
	slices.Sort(want)
	if !slices.Equal(got, want) || *last.IsTruncated {
		t.Errorf("listed %v, want %v", got, want)
	}

	dir := auth.NewDirectory(w.deps.Store, w.deps.Now)
	_, err = w.UpdateAccessKey(w.ctx, &api.UpdateAccessKeyInput{UserName: new("ann"), AccessKeyId: first.AccessKeyId, Status: new("Inactive")})
	w.must(err)
	if _, err := dir.Lookup(t.Context(), *first.AccessKeyId, ""); err != auth.ErrInactiveKey {
		t.Errorf("inactive: %v", err)
	}
	other := w.as(bob, w.key("bob"))
	for _, ctx := range []context.Context{other, w.ctx} {
		_, err = w.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{AccessKeyId: first.AccessKeyId, Status: new("Active")})
		w.fails(err, "NoSuchEntityException: The Access Key with id "+*first.AccessKeyId+" cannot be found.")
	}
	_, err = w.DeleteAccessKey(w.ctx, &api.DeleteAccessKeyInput{UserName: new("ann"), AccessKeyId: first.AccessKeyId})
	w.must(err)
	if _, err := dir.Lookup(t.Context(), *first.AccessKeyId, ""); err != auth.ErrUnknownKey {
		t.Errorf("deleted: %v", err)
	}
	session := auth.WithCaller(w.ctx, auth.Caller{Account: acct, UserID: "AROAX:s", AccessKeyID: "ASIAX"})
	_, err = w.CreateAccessKey(session, &api.CreateAccessKeyInput{})
	w.fails(err, "ValidationError: Must specify userName when calling with non-User credentials")
}

func TestRootAccessKeys(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.key("ann")
	made, err := w.CreateAccessKey(w.ctx, &api.CreateAccessKeyInput{})
	w.must(err)
	if made.AccessKey.UserName != nil {
		t.Errorf("made %+v", made.AccessKey)
	}
	list, err := w.ListAccessKeys(w.ctx, &api.ListAccessKeysInput{})
	w.must(err)
	if len(list.AccessKeyMetadata) != 1 || *list.AccessKeyMetadata[0].AccessKeyId != *made.AccessKey.AccessKeyId {
		t.Errorf("listed %+v", list.AccessKeyMetadata)
	}
}

func TestAccessKeyLastUsed(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	key := w.key("ann")
	used := func() *api.GetAccessKeyLastUsedOutput {
		out, err := w.GetAccessKeyLastUsed(w.ctx, &api.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId})
		w.must(err)
		return out
	}
	if u := used(); *u.UserName != "ann" || u.AccessKeyLastUsed.LastUsedDate != nil || *u.AccessKeyLastUsed.ServiceName != "N/A" || *u.AccessKeyLastUsed.Region != "N/A" {
		t.Errorf("never used %+v", u.AccessKeyLastUsed)
	}
	dir := auth.NewDirectory(w.deps.Store, w.deps.Now)
	cred, err := dir.Lookup(t.Context(), *key.AccessKeyId, "")
	w.must(err)
	cred.Caller.Region = "eu-west-1"
	w.must(dir.Authorize(t.Context(), cred.Caller, auth.Call{Service: "sts", Operation: "GetCallerIdentity", Input: &struct{}{}}))
	if u := used().AccessKeyLastUsed; u.LastUsedDate == nil || *u.ServiceName != "sts" || *u.Region != "eu-west-1" {
		t.Errorf("used %+v", u)
	}
	put(w, tables.AccessKeys, &identity.AccessKey{ID: "AKIAOTHERACCOUNT0000", Account: "210987654321", User: "x", Status: identity.KeyActive})
	for _, id := range []string{"AKIAOTHERACCOUNT0000", "AKIANONE000000000000"} {
		_, err := w.GetAccessKeyLastUsed(w.ctx, &api.GetAccessKeyLastUsedInput{AccessKeyId: &id})
		w.fails(err, "AccessDenied: User: arn:aws:iam::123456789012:root is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key "+id)
	}
	_, err = w.DeleteAccessKey(w.ctx, &api.DeleteAccessKeyInput{UserName: new("ann"), AccessKeyId: key.AccessKeyId})
	w.must(err)
	w.must(w.deps.Store.View(t.Context(), func(tx store.Tx) error {
		if n := tx.Count(store.Prefix(tables.KeyUses.Name)); n != 0 {
			t.Errorf("%d uses are kept", n)
		}
		return nil
	}))
}

package auth

import (
	"errors"
	"testing"
	"time"

	"neargate/aws/ecr"
	"neargate/resource/identity"
	"neargate/resource/image"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/repositories"
)

// TestRegistries decides about repositories of the caller's account and of another
// one, with policies of the repository and of the registry.
func TestRegistries(t *testing.T) {
	const (
		own, other = "123456789012", "210987654321"
		allow      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"Action":"ecr:BatchGetImage"}]}`
		deny       = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}]}`
		noResource = "because no resource-based policy allows the ecr:BatchGetImage action"
		denied     = "with an explicit deny in a resource-based policy"
	)
	now := func() time.Time { return time.Unix(1e9, 0) }
	for _, tt := range []struct{ name, account, repository, registry, want string }{
		{"its own", own, "", "", ""},
		{"its own, denied", own, deny, "", denied},
		{"its own, denied by the registry", own, "", deny, denied},
		{"another's", other, "", "", noResource},
		{"another's, let by the repository", other, allow, "", ""},
		{"another's, let by the registry", other, "", allow, ""},
		{"another's, let and denied", other, allow, deny, denied},
	} {
		s := mem.New()
		err := s.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(
				repositories.Repositories.Put(tx, &image.Repository{Account: own, Region: "us-east-1", Name: "app", Policy: tt.repository}),
				repositories.Registries.Put(tx, &image.Registry{Account: own, Region: "us-east-1", Policy: tt.registry}))
		})
		if err != nil {
			t.Fatal(err)
		}
		c := Caller{Account: tt.account, Region: "us-east-1", ARN: identity.RootARN(tt.account), UserID: tt.account}
		in := &ecr.BatchGetImageInput{RegistryId: new(own), RepositoryName: new("app")}
		err = NewDirectory(s, now).Authorize(t.Context(), c, Call{Service: "ecr", Operation: "BatchGetImage", Input: in})
		refused, _ := errors.AsType[*Denied](err)
		got := ""
		if refused != nil {
			got = refused.Reason
		}
		if got != tt.want || err != nil && refused == nil || refused != nil && refused.Resource != "arn:aws:ecr:us-east-1:123456789012:repository/app" {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		list := &ecr.DescribePullThroughCacheRulesInput{RegistryId: new(own)}
		err = NewDirectory(s, now).Authorize(t.Context(), c, Call{Service: "ecr", Operation: "DescribePullThroughCacheRules", Input: list})
		if (err == nil) != (tt.account == own) {
			t.Errorf("%s: rules of the registry: %v", tt.name, err)
		}
	}
}

// TestLasting makes callers again from what a token holds of them.
func TestLasting(t *testing.T) {
	s := mem.New()
	const own = "123456789012"
	session := identity.Session{ID: "ASIA1", Secret: "secret", TokenHash: "hash", Account: own, Role: "worker", RoleID: "AROA1", Name: "s"}
	role := identity.Role{Account: own, Name: "worker", ID: "AROA1"}
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error { return putRole(tx, &role, &session) })
	var lasting Lasting
	update(func(tx store.Tx) (err error) {
		lasting, err = Caller{Account: own, ARN: session.ARN(), UserID: session.UserID(), AccessKeyID: "ASIA1"}.Lasting(tx)
		return err
	})
	if lasting.Session == nil || lasting.Session.Secret != "" || lasting.Session.TokenHash != "" {
		t.Fatalf("%+v", lasting)
	}
	update(func(tx store.Tx) error {
		c, err := lasting.Caller(tx)
		if err == nil && (c.ARN != session.ARN() || c.UserID != session.UserID()) {
			t.Errorf("%+v", c)
		}
		return err
	})
	role.ID = "AROA2" // made anew under the same name
	update(func(tx store.Tx) error {
		if err := putRole(tx, &role, nil); err != nil {
			return err
		}
		if _, err := lasting.Caller(tx); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("of another role: %v", err)
		}
		if _, err := (Lasting{Key: "AKIANONE"}).Caller(tx); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("a key that is gone: %v", err)
		}
		return nil
	})
	root := Caller{Account: own, UserID: own, ARN: identity.RootARN(own)}
	update(func(tx store.Tx) error {
		l, err := root.Lasting(tx)
		if err != nil {
			return err
		}
		c, err := l.Caller(tx)
		if c.ARN != root.ARN || !c.Root() {
			t.Errorf("%+v", c)
		}
		return err
	})
}

func putRole(tx store.Tx, r *identity.Role, s *identity.Session) error {
	if s != nil {
		if err := tables.Sessions.Put(tx, s); err != nil {
			return err
		}
	}
	return tables.Roles.Put(tx, r)
}

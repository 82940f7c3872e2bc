package identity

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
)

func source() *arn.Source { return arn.NewSource(rand.New(rand.NewSource(1))) }

func TestAWSPolicies(t *testing.T) {
	policies := AWSPolicies()
	if !slices.IsSortedFunc(policies, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted by name")
	}
	for _, p := range policies {
		var doc struct{ Version string }
		if err := json.NewDecoder(bytes.NewReader([]byte(p.Document()))).Decode(&doc); err != nil || doc.Version != "2012-10-17" {
			t.Errorf("%s: document %v %q", p.Name, err, doc.Version)
		}
		if got, ok := AWSPolicy(p.ARN()); !ok || got.ID != p.ID {
			t.Errorf("AWSPolicy(%s) = %v %v", p.ARN(), got.ID, ok)
		}
		if !strings.HasPrefix(p.ID, "ANPA") || len(p.ID) != 21 || p.CreatedAt.After(p.UpdatedAt) {
			t.Errorf("%s: id %s, dates %v %v", p.Name, p.ID, p.CreatedAt, p.UpdatedAt)
		}
	}
	for _, bad := range []string{
		"arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy", // its path is /service-role/
		"arn:aws:iam::aws:policy/NoSuch", "arn:aws:iam::123456789012:policy/AdministratorAccess", "nonsense",
	} {
		if _, ok := AWSPolicy(bad); ok {
			t.Errorf("AWSPolicy(%s) found one", bad)
		}
	}
}

func TestServiceLinkedRoles(t *testing.T) {
	now := time.Unix(1, 0)
	for _, l := range linkedRoles {
		r, suffixed, ok := ServiceLinkedRole("123456789012", l.service, "x", now, source())
		if !ok || suffixed != l.suffix || r.Name != l.role+"_x" || r.LinkedTo != l.service {
			t.Errorf("%s: %+v %v %v", l.service, r, suffixed, ok)
		}
		if _, ok := AWSPolicy(r.Attached[0]); !ok {
			t.Errorf("%s: unknown policy %s", l.service, r.Attached[0])
		}
		if !json.Valid([]byte(r.Trust)) {
			t.Errorf("%s: trust %s", l.service, r.Trust)
		}
	}
	r, _, _ := ServiceLinkedRole("123456789012", "ecs.amazonaws.com", "", now, source())
	if want := "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"; r.ARN() != want {
		t.Errorf("ARN %s, want %s", r.ARN(), want)
	}
	if _, _, ok := ServiceLinkedRole("123456789012", "nosuch.amazonaws.com", "", now, source()); ok {
		t.Error("a role for an unknown service")
	}
}

func TestSession(t *testing.T) {
	s := Session{Account: "123456789012", Role: "r", RoleID: "AROAX", Name: "n", Expires: time.Unix(10, 0)}
	token := s.Issue(source())
	if !s.HasToken(token) || s.HasToken(token[1:]) || s.HasToken("") {
		t.Error("token check is wrong")
	}
	if !strings.HasPrefix(s.ID, "ASIA") || len(s.ID) != 20 || len(s.Secret) != 40 {
		t.Errorf("id %s, secret of %d", s.ID, len(s.Secret))
	}
	if s.Expired(time.Unix(9, 999)) || !s.Expired(time.Unix(10, 0)) {
		t.Error("expiry is wrong")
	}
	if s.ARN() != "arn:aws:sts::123456789012:assumed-role/r/n" || s.UserID() != "AROAX:n" {
		t.Errorf("%s %s", s.ARN(), s.UserID())
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"arn:aws:iam::123456789012:policy/p": "123456789012 p", "arn:aws:iam::aws:policy/a/b/p": "aws p",
		"arn:aws:iam::123456789012:role/p": "", "arn:aws:iam::123456789012:policy/": "", "x": "",
		"arn:aws:iam::abc:policy/p": "",
	} {
		account, name, ok := PolicyName(in)
		if got := strings.TrimSpace(account + " " + name); ok != (want != "") || ok && got != want {
			t.Errorf("PolicyName(%s) = %s %v, want %s", in, got, ok, want)
		}
	}
	if account, name, ok := RoleName("arn:aws:iam::123456789012:role/a/b"); !ok || account != "123456789012" || name != "b" {
		t.Error(account, name, ok)
	}
}

func TestNewAccount(t *testing.T) {
	a, k := NewAccount("210987654321", "dev", time.Unix(5, 0), source())
	if a.ID != k.Account || k.User != "" || k.Status != KeyActive || !strings.HasPrefix(k.ID, "AKIA") || len(k.Secret) != 40 {
		t.Errorf("%+v %+v", a, k)
	}
	if RootARN(a.ID) != "arn:aws:iam::210987654321:root" {
		t.Error(RootARN(a.ID))
	}
}

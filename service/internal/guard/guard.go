// Package guard checks policies that are attached to resources.
package guard

import (
	"errors"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// Why a policy cannot be attached.
var (
	ErrMalformed = errors.New("guard: malformed policy")
	ErrPrincipal = errors.New("guard: the policy names a principal that does not exist")
)

// Check parses the policy of a resource, whose statements say to whom they apply
// and what of the service's actions they are about. It returns ErrMalformed or
// ErrPrincipal.
func Check(tx store.Tx, text string) (*policy.Document, error) {
	doc, err := policy.Parse(text)
	if err != nil {
		return nil, ErrMalformed
	}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if len(s.Principals) == 0 || len(s.Actions) == 0 || len(s.Resources) == 0 {
			return nil, ErrMalformed
		}
		for _, p := range s.Principals {
			ok, err := exists(tx, p)
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, ErrPrincipal
			}
		}
	}
	return doc, nil
}

// exists reports whether there is such a principal. Users and roles of accounts
// that are not here cannot be told and are not there.
func exists(tx store.Tx, p policy.Principal) (ok bool, err error) {
	if p.Type != "AWS" {
		return p.ID != "", nil
	}
	if p.ID == "*" || arn.ValidAccount(p.ID) {
		return true, nil
	}
	a, err := arn.Parse(p.ID)
	if err != nil || !arn.ValidAccount(a.Account) || a.Service != "iam" && a.Service != "sts" {
		return false, nil
	}
	kind, path, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		return true, nil
	case a.Service == "sts" && kind == "assumed-role":
		role, session, _ := strings.Cut(path, "/")
		_, ok, err = tables.Roles.Find(tx, a.Account, identity.Fold(role))
		return ok && session != "", err
	case a.Service == "sts" && kind == "federated-user":
		return path != "", nil
	case a.Service == "iam" && kind == "role":
		r, ok, err := tables.Roles.Find(tx, a.Account, identity.Fold(path[strings.LastIndexByte(path, '/')+1:]))
		return ok && r.ARN() == p.ID, err
	case a.Service == "iam" && kind == "user":
		u, ok, err := tables.Users.Find(tx, a.Account, identity.Fold(path[strings.LastIndexByte(path, '/')+1:]))
		return ok && u.ARN() == p.ID, err
	}
	return false, nil
}

// Exists reports whether the ARN names a principal of an account that is here.
func Exists(tx store.Tx, principalARN string) (bool, error) {
	if !arn.Is(principalARN) {
		return false, nil
	}
	return exists(tx, policy.Principal{Type: "AWS", ID: principalARN})
}

// Public reports whether a statement of the policy allows something to everybody.
// A condition on where the request comes from makes it less than that.
func Public(doc *policy.Document) bool {
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if s.Deny || s.Limited() {
			continue
		}
		if s.NotPrincipal {
			return true
		}
		for _, p := range s.Principals {
			if p.Type == "AWS" && p.ID == "*" {
				return true
			}
		}
	}
	return false
}

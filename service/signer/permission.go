package signer

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"

	api "neargate/aws/signer"
	"neargate/resource/signing"
	"neargate/service/internal/member"
)

// permitted are the actions that permissions can be given for.
var permitted = []string{"signer:SignPayload", "signer:GetSigningProfile", "signer:RevokeSignature"}

var (
	// principals are accounts, and roles without a path, as AWS takes no others.
	principals    = regexp.MustCompile(`^(\d{12}|arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@-]{1,64})$`)
	statementForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
)

// checkPrincipal refuses what permissions cannot be given to.
func checkPrincipal(text string) error {
	if !principals.MatchString(text) {
		return api.ValidationException("Principal is not a valid AWS account id or IAM Role Arn")
	}
	return nil
}

// mostPolicy bounds the policy that a profile's permissions make, in bytes.
const mostPolicy = 20 << 10

// AddProfilePermission lets another account or a role use a profile.
func (s *Service) AddProfilePermission(ctx context.Context, in *api.AddProfilePermissionInput) (*api.AddProfilePermissionOutput, error) {
	if !slices.Contains(permitted, *in.Action) {
		return nil, api.ValidationException(fmt.Sprintf("Action %s not supported for platform %s. Action must be one of [%s]",
			*in.Action, signing.Notation, strings.Join(permitted, ", ")))
	}
	if err := checkPrincipal(*in.Principal); err != nil {
		return nil, err
	}
	if !statementForm.MatchString(*in.StatementId) {
		return nil, api.ValidationException("Statement id " + *in.StatementId + " is not valid.")
	}
	revision := s.deps.IDs.UUID()
	_, err := s.change(ctx, *in.ProfileName, func(p *signing.Profile) error {
		if err := usable(p); err != nil {
			return err
		}
		version := member.Or(in.ProfileVersion, "")
		switch {
		case version != "" && version != p.Version:
			return api.ResourceNotFoundException("profile with name " + p.Name + " and version " + version + " does not exist")
		case in.RevisionId != nil && *in.RevisionId != p.Revision:
			return staleRevision()
		case slices.ContainsFunc(p.Permissions, func(g signing.Permission) bool { return g.ID == *in.StatementId }):
			return api.ConflictException("The statement id " + *in.StatementId + " already exists.")
		}
		p.Permissions = append(slices.Clone(p.Permissions), signing.Permission{ID: *in.StatementId, Action: *in.Action, Principal: *in.Principal, Version: version})
		p.Revision = revision
		if len(p.Policy()) > mostPolicy {
			return api.ServiceLimitExceededException("The policy of the signing profile is larger than " + strconv.Itoa(mostPolicy) + " bytes.")
		}
		return nil
	})
	return &api.AddProfilePermissionOutput{RevisionId: &revision}, err
}

func staleRevision() error {
	return api.ConflictException("The revision id does not match the current revision of the signing profile's permissions.")
}

// RemoveProfilePermission takes a permission away.
func (s *Service) RemoveProfilePermission(ctx context.Context, in *api.RemoveProfilePermissionInput) (*api.RemoveProfilePermissionOutput, error) {
	revision := s.deps.IDs.UUID()
	_, err := s.change(ctx, *in.ProfileName, func(p *signing.Profile) error {
		kept := slices.DeleteFunc(slices.Clone(p.Permissions), func(g signing.Permission) bool { return g.ID == *in.StatementId })
		switch {
		case len(kept) == len(p.Permissions):
			return api.ResourceNotFoundException("statement with id " + *in.StatementId + " does not exist")
		case *in.RevisionId != p.Revision:
			return staleRevision()
		}
		p.Permissions, p.Revision = kept, revision
		return nil
	})
	return &api.RemoveProfilePermissionOutput{RevisionId: &revision}, err
}

// ListProfilePermissions lists the permissions of a profile.
func (s *Service) ListProfilePermissions(ctx context.Context, in *api.ListProfilePermissionsInput) (*api.ListProfilePermissionsOutput, error) {
	last, scope, err := s.position(ctx, in.NextToken, "ListProfilePermissions", *in.ProfileName)
	if err != nil {
		return nil, err
	}
	p, err := s.view(ctx, nil, *in.ProfileName)
	if err != nil {
		return nil, err
	}
	out := &api.ListProfilePermissionsOutput{RevisionId: some(p.Revision), PolicySizeBytes: new(int32(len(p.Policy())))}
	from := 1 + slices.IndexFunc(p.Permissions, func(g signing.Permission) bool { return g.ID == last }) // 0: from the start
	out.Permissions, last, err = gather(each(p.Permissions[from:]), mostResults, func(g *signing.Permission) string { return g.ID },
		func(g *signing.Permission) (api.Permission, bool) {
			return api.Permission{StatementId: &g.ID, Action: &g.Action, Principal: &g.Principal, ProfileVersion: some(g.Version)}, true
		})
	out.NextToken = s.next(last, scope)
	return out, err
}

// each yields the elements of a list.
func each[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}

package ssm

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/ssm"
	"neargate/resource/param"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/parameters"
	"neargate/wire/shape"
)

// GetParameter shows a version of a parameter.
func (s *Service) GetParameter(ctx context.Context, in *api.GetParameterInput) (*api.GetParameterOutput, error) {
	p, err := s.get(ctx, *in.Name, member.Or(in.WithDecryption, false))
	if err != nil {
		return nil, err
	}
	return &api.GetParameterOutput{Parameter: p}, nil
}

func (s *Service) get(ctx context.Context, name string, decrypt bool) (*api.Parameter, error) {
	r, err := reference(ctx, name)
	if err != nil {
		return nil, err
	}
	var p param.Parameter
	var v param.Version
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if p, err = find(ctx, tx, r); err == nil {
			v, err = version(tx, &p, r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.show(ctx, &p, &v, r.Name, r.Selector, decrypt)
}

// show describes a version under a name.
func (s *Service) show(ctx context.Context, p *param.Parameter, v *param.Version, name, selector string, decrypt bool) (*api.Parameter, error) {
	value, err := s.value(ctx, v, decrypt)
	if err != nil {
		return nil, err
	}
	return &api.Parameter{
		ARN: new(p.ARN()), DataType: &v.DataType, LastModifiedDate: &v.ModifiedAt, Name: &name, Selector: given(selector),
		Type: &v.Type, Value: &value, Version: &v.Number,
	}, nil
}

// value is a version's value: of a SecureString, the ciphertext unless it is to be
// decrypted.
func (s *Service) value(ctx context.Context, v *param.Version, decrypt bool) (string, error) {
	switch {
	case v.Type != param.SecureString:
		return v.Value, nil
	case !decrypt:
		return base64.StdEncoding.EncodeToString(v.Sealed), nil
	}
	b, err := s.keys.Open(ctx, "ssm", v.Sealed, about(v))
	return string(b), keyError(err)
}

// GetParameters shows those parameters there are, by name, each name once.
func (s *Service) GetParameters(ctx context.Context, in *api.GetParametersInput) (*api.GetParametersOutput, error) {
	out := &api.GetParametersOutput{Parameters: []api.Parameter{}, InvalidParameters: []string{}}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(in.Names))) {
		p, err := s.get(ctx, name, member.Or(in.WithDecryption, false))
		switch {
		case err == nil:
			out.Parameters = append(out.Parameters, *p)
		case shape.IsCode(err, "ParameterNotFound", "ParameterVersionNotFound"):
			out.InvalidParameters = append(out.InvalidParameters, name)
		default:
			return nil, err
		}
	}
	slices.SortStableFunc(out.Parameters, func(a, b api.Parameter) int { return strings.Compare(*a.Name, *b.Name) })
	return out, nil
}

const badPath = `The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`

// GetParametersByPath shows the parameters below a path, by name.
func (s *Service) GetParametersByPath(ctx context.Context, in *api.GetParametersByPathInput) (*api.GetParametersByPathOutput, error) {
	c := auth.CallerFrom(ctx)
	path := *in.Path
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.ContainsAny(path, ":,* ") {
		return nil, invalid("%s", badPath)
	}
	f, err := parseFilters(in.ParameterFilters, pathFilters)
	if err != nil {
		return nil, err
	}
	recursive, limit := member.Or(in.Recursive, false), int(member.Or(in.MaxResults, 10))
	scope := append([]string{"GetParametersByPath", path}, f.scope()...)
	if recursive {
		scope = append(scope, "recursive")
	}
	last, scope, err := s.open(ctx, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	if last == "" {
		last = strings.TrimSuffix(path, "/") + "/"
	}
	type item struct {
		p param.Parameter
		v param.Version
		r param.Reference
	}
	var found []item
	var next *string
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		found, next = found[:0], nil
		for p, err := range parameters.Parameters.Page(tx, []string{c.Account, c.Region}, []string{c.Account, c.Region, last}, 0) {
			if err != nil {
				return err
			}
			if !p.Under(path, true) {
				return nil
			}
			r := param.Reference{}
			if l := f.label(); l != "" {
				r.Selector, r.Label = ":"+l, l
			}
			if !p.Under(path, recursive) || !f.match(&p) || r.Label != "" && p.Labels[r.Label] == 0 {
				continue
			}
			if len(found) == limit {
				next = new(s.pages.Seal(found[limit-1].p.Path, scope...))
				return nil
			}
			v, err := version(tx, &p, r)
			if err != nil {
				return err
			}
			found = append(found, item{p, v, r})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetParametersByPathOutput{Parameters: []api.Parameter{}, NextToken: next}
	for i := range found {
		p, err := s.show(ctx, &found[i].p, &found[i].v, found[i].p.Name, found[i].r.Selector, member.Or(in.WithDecryption, false))
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}

// DescribeParameters lists parameters without their values.
func (s *Service) DescribeParameters(ctx context.Context, in *api.DescribeParametersInput) (*api.DescribeParametersOutput, error) {
	c := auth.CallerFrom(ctx)
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	f, err := parseFilters(append(in.ParameterFilters, older(in.Filters)...), allFilters)
	if err != nil {
		return nil, err
	}
	limit := int(member.Or(in.MaxResults, 50))
	last, scope, err := s.open(ctx, in.NextToken, append([]string{"DescribeParameters"}, f.scope()...)...)
	if err != nil {
		return nil, err
	}
	var after []string
	if last != "" {
		after = []string{c.Account, c.Region, last}
	}
	out := &api.DescribeParametersOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.DescribeParametersOutput{Parameters: []api.ParameterMetadata{}}
		if member.Or(in.Shared, false) {
			return nil // nothing is shared between accounts
		}
		position := ""
		for p, err := range parameters.Parameters.Page(tx, []string{c.Account, c.Region}, after, 0) {
			if err != nil {
				return err
			}
			if !f.match(&p) {
				continue
			}
			if len(out.Parameters) == limit {
				out.NextToken = new(s.pages.Seal(position, scope...))
				return nil
			}
			position = p.Path
			out.Parameters = append(out.Parameters, metadata(&p))
		}
		return nil
	})
	return out, err
}

func metadata(p *param.Parameter) api.ParameterMetadata {
	v := &p.Latest
	return api.ParameterMetadata{
		ARN: new(p.ARN()), Name: &p.Name, AllowedPattern: given(v.AllowedPattern), DataType: &v.DataType, Description: given(v.Description),
		KeyId: given(v.KeyID), LastModifiedDate: &v.ModifiedAt, LastModifiedUser: &v.User, Policies: policyStates(v),
		Tier: &v.Tier, Type: &v.Type, Version: &v.Number,
	}
}

func policyStates(v *param.Version) []api.ParameterInlinePolicy {
	out := []api.ParameterInlinePolicy{}
	for _, p := range v.Policies {
		out = append(out, api.ParameterInlinePolicy{PolicyText: &p.Text, PolicyType: new("Expiration"), PolicyStatus: new("Pending")})
	}
	return out
}

// GetParameterHistory shows the versions of a parameter, the oldest first.
func (s *Service) GetParameterHistory(ctx context.Context, in *api.GetParameterHistoryInput) (*api.GetParameterHistoryOutput, error) {
	r, err := plain(ctx, *in.Name)
	if err != nil {
		return nil, err
	}
	limit := int(member.Or(in.MaxResults, 50))
	last, scope, err := s.open(ctx, in.NextToken, "GetParameterHistory", r.Path)
	if err != nil {
		return nil, err
	}
	var p param.Parameter
	var found []param.Version
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		if p, err = find(ctx, tx, r); err != nil {
			return err
		}
		of := []string{p.Account, p.Region, p.Path}
		var after []string
		if last != "" {
			after = append(slices.Clone(of), last)
		}
		found, err = store.Collect(parameters.Versions.Page(tx, of, after, limit+1))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetParameterHistoryOutput{Parameters: []api.ParameterHistory{}}
	if len(found) > limit {
		found = found[:limit]
		out.NextToken = new(s.pages.Seal(parameters.Number(found[limit-1].Number), scope...))
	}
	for i := range found {
		v := &found[i]
		value, err := s.value(ctx, v, member.Or(in.WithDecryption, false))
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, api.ParameterHistory{
			Name: &p.Name, AllowedPattern: given(v.AllowedPattern), DataType: &v.DataType, Description: given(v.Description), KeyId: given(v.KeyID),
			Labels: p.LabelsOf(v.Number), LastModifiedDate: &v.ModifiedAt, LastModifiedUser: &v.User, Policies: policyStates(v),
			Tier: &v.Tier, Type: &v.Type, Value: &value, Version: &v.Number,
		})
	}
	return out, nil
}

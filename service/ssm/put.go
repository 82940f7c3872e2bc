package ssm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"neargate/auth"
	api "neargate/aws/ssm"
	"neargate/resource/param"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/parameters"
	"neargate/wire/shape"
)

// Quotas. Source: AWS Systems Manager endpoints and quotas.
const (
	maxVersions = 100
	maxStandard = 10000
	maxAdvanced = 100000
	maxPolicies = 10
)

// intelligent leaves the choice of the tier to Systems Manager.
const intelligent = "Intelligent-Tiering"

// PutParameter creates a parameter or, where it may overwrite, adds a version.
func (s *Service) PutParameter(ctx context.Context, in *api.PutParameterInput) (*api.PutParameterOutput, error) {
	c := auth.CallerFrom(ctx)
	r, err := checkPut(ctx, in)
	if err != nil {
		return nil, err
	}
	var old *param.Parameter
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		p, ok, err := parameters.Parameters.Find(tx, c.Account, c.Region, r.Path)
		if ok {
			old = &p
		}
		return err
	})
	if err == nil && old != nil && !member.Or(in.Overwrite, false) {
		err = alreadyExists()
	}
	if err != nil {
		return nil, err
	}
	v, err := s.newVersion(ctx, in, old, r)
	if err != nil {
		return nil, err
	}
	var p param.Parameter
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		found, ok, err := parameters.Parameters.Find(tx, c.Account, c.Region, r.Path)
		switch {
		case err != nil:
			return err
		case ok && !member.Or(in.Overwrite, false):
			return alreadyExists()
		case ok != (old != nil) || ok && found.Latest.Number != old.Latest.Number && inherits(in):
			return api.TooManyUpdates("There are concurrent updates for a resource that supports one update at a time.")
		case ok:
			p = found
		default:
			p = param.Parameter{Account: c.Account, Region: c.Region, Path: r.Path, Name: r.Name, Oldest: 1}
			if p.Tags, err = mergeTags(nil, in.Tags); err != nil {
				return err
			}
		}
		return add(tx, &p, v)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutParameterOutput{Version: &p.Latest.Number, Tier: &p.Latest.Tier}, nil
}

// inherits reports whether a request leaves something as it is in the version before.
func inherits(in *api.PutParameterInput) bool {
	return in.Type == nil || in.Tier == nil || in.Description == nil || in.AllowedPattern == nil || in.KeyId == nil && *in.Type == param.SecureString
}

func alreadyExists() error {
	return api.ParameterAlreadyExists("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
}

// add makes v the latest version of a parameter, and drops the oldest where there
// are too many.
func add(tx store.Tx, p *param.Parameter, v param.Version) error {
	v.Number = p.Latest.Number + 1
	if v.Number-p.Oldest >= maxVersions {
		if len(p.LabelsOf(p.Oldest)) > 0 {
			return api.ParameterMaxVersionLimitExceeded(fmt.Sprintf("You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", p.Name, p.Oldest))
		}
		if err := parameters.Versions.Delete(tx, p.Account, p.Region, p.Path, parameters.Number(p.Oldest)); err != nil {
			return err
		}
		p.Oldest++
	}
	if v.Tier != p.Latest.Tier {
		limit := map[string]int{param.Standard: maxStandard, param.Advanced: maxAdvanced}[v.Tier]
		if parameters.Parameters.CountBy(tx, parameters.ByTier, p.Account, p.Region, v.Tier) >= limit {
			return api.ParameterLimitExceeded("You have exceeded the number of parameters for this AWS account. Delete one or more parameters and try again.")
		}
	}
	p.Latest = v
	if err := parameters.Versions.Put(tx, &v); err != nil {
		return err
	}
	return parameters.Parameters.Put(tx, p)
}

// checkPut checks what does not depend on the parameter as it is.
func checkPut(ctx context.Context, in *api.PutParameterInput) (param.Reference, error) {
	r, err := plain(ctx, *in.Name)
	c := auth.CallerFrom(ctx)
	switch {
	case err != nil:
		return r, err
	case r.Account != c.Account || r.Region != c.Region:
		return r, notFound()
	case strings.HasPrefix(r.Name, "arn:"):
		r.Name = r.Path
	}
	const rule = ` If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`
	switch param.CheckName(r.Name) {
	case param.NotQualified:
		return r, invalid("Parameter name must be a fully qualified name.")
	case param.Reserved:
		return r, shape.Errorf("AccessDeniedException", "No access to reserved parameter name: %s.", r.Name)
	case param.Prefixed:
		if strings.HasPrefix(r.Name, "/") {
			return r, invalid("%s", `Parameter name: can't be prefixed with "ssm" (case-insensitive).`+rule)
		}
		return r, invalid(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`)
	case param.BadLetter:
		return r, invalid("%s", `Parameter name: can't be prefixed with "ssm" (case-insensitive).`+rule)
	case param.TooDeep:
		return r, api.HierarchyLevelLimitExceededException("A hierarchy can have a maximum of 15 levels. For more information, see Requirements and constraints for parameter names in the AWS Systems Manager User Guide.")
	case param.TooLong:
		return r, invalid("The parameter name is too long: its ARN must not be longer than 1011 characters.")
	}
	if t := member.Or(in.DataType, "text"); t != "text" {
		return r, invalid("The following data type is not supported: %s (Data type names are all lowercase.)", t)
	}
	if len(in.Tags) > 0 && member.Or(in.Overwrite, false) {
		return r, invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	return r, nil
}

// newVersion makes the version a request asks for; old is the parameter it goes to,
// nil if there is none.
func (s *Service) newVersion(ctx context.Context, in *api.PutParameterInput, old *param.Parameter, r param.Reference) (v param.Version, err error) {
	c := auth.CallerFrom(ctx)
	v = param.Version{
		Account: c.Account, Region: c.Region, Path: r.Path, DataType: "text", ModifiedAt: s.now(), User: c.ARN,
	}
	before := param.Version{KeyID: param.DefaultKey}
	if old != nil {
		before = old.Latest
	}
	v.Description, v.AllowedPattern = member.Or(in.Description, before.Description), member.Or(in.AllowedPattern, before.AllowedPattern)
	switch {
	case in.Type != nil:
		v.Type = *in.Type
	case old != nil:
		v.Type = old.Latest.Type
	default:
		return v, invalid("A parameter type is required when you create a parameter.")
	}
	if v.Policies, err = s.policies(in.Policies); err != nil {
		return v, err
	}
	if v.Tier, err = tier(in, old, v.Policies); err != nil {
		return v, err
	}
	if err := checkValue(in, &v); err != nil {
		return v, err
	}
	if v.Type != param.SecureString {
		if in.KeyId != nil {
			return v, invalid("KeyId can be specified only for a parameter of type SecureString.")
		}
		v.Value = *in.Value
		return v, nil
	}
	if v.KeyID = member.Or(in.KeyId, before.KeyID); v.KeyID == "" { // it was no SecureString
		v.KeyID = param.DefaultKey
	}
	action := "kms:Encrypt"
	if v.Tier == param.Advanced {
		action = "kms:GenerateDataKey"
	}
	v.Sealed, _, err = s.keys.Seal(ctx, "ssm", action, v.KeyID, []byte(*in.Value), about(&v))
	return v, keyError(err)
}

// about is the encryption context of a version.
func about(v *param.Version) map[string]string {
	return map[string]string{"PARAMETER_ARN": param.ARN(v.Account, v.Region, v.Path)}
}

// keyError says what KMS refused in the words of Systems Manager.
func keyError(err error) error {
	if e, ok := err.(*shape.Error); ok && e.Code != "AccessDeniedException" && e.Fault == shape.Client {
		return api.InvalidKeyId(e.Message)
	}
	return err
}

// checkValue checks the value as one of the version's type and tier.
func checkValue(in *api.PutParameterInput, v *param.Version) error {
	limit, name := 4096, param.Standard
	if v.Tier == param.Advanced {
		limit, name = 8192, param.Advanced
	}
	if n := utf8.RuneCountInString(*in.Value); n > limit || len(*in.Value) > limit {
		if v.Tier == param.Advanced {
			return invalid("%s tier parameters support a maximum parameter value of %d characters.", name, limit)
		}
		return invalid("%s tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", name, limit)
	}
	if v.AllowedPattern == "" {
		return nil
	}
	pattern, err := regexp.Compile(`^(?:` + v.AllowedPattern + `)$`)
	if err != nil {
		return api.InvalidAllowedPatternException("The request does not meet the regular expression requirement.")
	}
	if !pattern.MatchString(*in.Value) {
		return api.ParameterPatternMismatchException("Parameter value, cannot be validated against allowedPattern: " + v.AllowedPattern)
	}
	return nil
}

// tier chooses the tier of a version.
func tier(in *api.PutParameterInput, old *param.Parameter, policies []param.Policy) (string, error) {
	asked := member.Or(in.Tier, "")
	if asked == "" {
		asked = param.Standard
		if old != nil {
			asked = old.Latest.Tier
		}
	}
	switch {
	case asked == intelligent && (len(*in.Value) > 4096 || len(policies) > 0 || old != nil && old.Latest.Tier == param.Advanced):
		return param.Advanced, nil
	case asked == intelligent:
		return param.Standard, nil
	case asked == param.Standard && old != nil && old.Latest.Tier == param.Advanced:
		return "", invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case asked == param.Standard && len(policies) > 0:
		return "", invalid("Parameter policies are supported for parameters of the advanced-parameter tier only.")
	}
	return asked, nil
}

// policies reads a request's policies. Those that notify are refused: there is
// nobody to notify.
func (s *Service) policies(text *string) ([]param.Policy, error) {
	if text == nil {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(*text), &list); err != nil {
		return nil, api.InvalidPolicyAttributeException("The policies are not a list of policies in JSON.")
	}
	if len(list) > maxPolicies {
		return nil, api.PoliciesLimitExceededException("You specified more than the maximum number of allowed policies for the parameter. The maximum is 10.")
	}
	var out []param.Policy
	for _, raw := range list {
		var p struct {
			Type, Version string
			Attributes    map[string]string
		}
		if err := json.Unmarshal(raw, &p); err != nil || p.Version != "1.0" {
			return nil, api.InvalidPolicyAttributeException("A policy attribute or its value is invalid.")
		}
		if p.Type != "Expiration" {
			return nil, api.InvalidPolicyTypeException("The policy type " + p.Type + " is not supported in this region.")
		}
		at, err := time.Parse(time.RFC3339, p.Attributes["Timestamp"])
		if err != nil || len(p.Attributes) != 1 || !at.After(s.deps.Now()) {
			return nil, api.InvalidPolicyAttributeException("A policy attribute or its value is invalid.")
		}
		if len(out) > 0 {
			return nil, api.IncompatiblePolicyException("There is a conflict in the policies specified for this parameter. You can't, for example, specify two Expiration policies for a parameter.")
		}
		out = append(out, param.Policy{Text: string(raw), At: at.UTC()})
	}
	return out, nil
}

// maxLabels is how many labels a version may have.
const maxLabels = 10

// LabelParameterVersion gives labels to a version, taking them from others.
func (s *Service) LabelParameterVersion(ctx context.Context, in *api.LabelParameterVersionInput) (*api.LabelParameterVersionOutput, error) {
	r, err := plain(ctx, *in.Name)
	if err != nil {
		return nil, err
	}
	out := &api.LabelParameterVersionOutput{}
	err = s.change(ctx, r, func(tx store.Tx, p *param.Parameter) error {
		out.InvalidLabels = []string{}
		n := member.Or(in.ParameterVersion, p.Latest.Number)
		out.ParameterVersion = &n
		if n < p.Oldest || n > p.Latest.Number {
			return noVersion(fmt.Sprint(n), p)
		}
		labels := maps.Clone(p.Labels)
		if labels == nil {
			labels = map[string]int64{}
		}
		for _, l := range in.Labels {
			if !param.GoodLabel(l) {
				out.InvalidLabels = append(out.InvalidLabels, l)
				continue
			}
			labels[l] = n
		}
		p.Labels = labels
		if len(p.LabelsOf(n)) > maxLabels {
			return api.ParameterVersionLabelLimitExceeded("A parameter version can have maximum 10 labels.Move one or more labels to another version and try again.")
		}
		return nil
	})
	return out, err
}

// UnlabelParameterVersion takes labels from a version.
func (s *Service) UnlabelParameterVersion(ctx context.Context, in *api.UnlabelParameterVersionInput) (*api.UnlabelParameterVersionOutput, error) {
	r, err := plain(ctx, *in.Name)
	if err != nil {
		return nil, err
	}
	out := &api.UnlabelParameterVersionOutput{}
	err = s.change(ctx, r, func(tx store.Tx, p *param.Parameter) error {
		out.RemovedLabels, out.InvalidLabels = []string{}, []string{}
		if n := *in.ParameterVersion; n < p.Oldest || n > p.Latest.Number {
			return noVersion(fmt.Sprint(n), p)
		}
		p.Labels = maps.Clone(p.Labels)
		for _, l := range in.Labels {
			if n, ok := p.Labels[l]; !ok || n != *in.ParameterVersion {
				out.InvalidLabels = append(out.InvalidLabels, l)
				continue
			}
			out.RemovedLabels = append(out.RemovedLabels, l)
			delete(p.Labels, l)
		}
		return nil
	})
	return out, err
}

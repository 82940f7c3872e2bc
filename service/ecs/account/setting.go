package account

import (
	"context"
	"regexp"
	"slices"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
)

// setting is an account setting ECS has: the value that holds where none was set,
// and the values that can be set.
type setting struct {
	name, value string
	values      []string
	managed     bool // set by AWS, not by the account
}

// settings are all account settings, by name. Long ARNs can no longer be turned
// off. FIPS endpoints and event windows do not exist here and cannot be turned on.
// Source: Amazon ECS account settings, Developer Guide.
var settings = []setting{
	{"awsvpcTrunking", "disabled", []string{"enabled", "disabled"}, false},
	{"containerInsights", "disabled", []string{"enabled", "disabled", "enhanced"}, false},
	{"containerInstanceLongArnFormat", "enabled", []string{"enabled"}, false},
	{"defaultLogDriverMode", "non-blocking", []string{"blocking", "non-blocking"}, false},
	{"dualStackIPv6", "disabled", []string{"enabled", "disabled"}, false},
	{"fargateEventWindows", "disabled", []string{"disabled"}, false},
	{"fargateFIPSMode", "disabled", []string{"disabled"}, false},
	{"fargateTaskRetirementWaitPeriod", "7", []string{"0", "7", "14"}, false},
	{"guardDutyActivate", "off", nil, true},
	{"serviceLongArnFormat", "enabled", []string{"enabled"}, false},
	{"tagResourceAuthorization", "on", []string{"on", "off"}, false},
	{"taskLongArnFormat", "enabled", []string{"enabled"}, false},
}

// find returns the setting with the name.
func find(name *string) (setting, error) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == deref(name) })
	if i < 0 {
		return setting{}, invalid("Invalid setting 'name'")
	}
	return settings[i], nil
}

// show is how a setting looks; principal "" is the account's default.
func (s setting) show(c auth.Caller, principal, value string) *ecs.Setting {
	kind := "user"
	if s.managed {
		kind = "aws_managed"
	}
	return &ecs.Setting{Name: &s.name, PrincipalArn: new(principalARN(c, principal)), Type: &kind, Value: &value}
}

// principalARN is the ARN of a stored principal.
func principalARN(c auth.Caller, principal string) string {
	if principal != "" {
		return principal
	}
	return arn.ARN{Partition: arn.Partition(c.Region), Service: "iam", Account: c.Account, Resource: "root"}.String()
}

var principalForm = regexp.MustCompile(`^(root|(user|role)/[\w+=,.@/-]{1,575})$`)

// principal is the identity a request is about: the given user, role or root user
// of the account, or the caller.
func principal(c auth.Caller, given *string) (string, error) {
	if given == nil {
		return ref.Principal(c.ARN), nil
	}
	a, err := arn.Parse(*given)
	if err != nil || a.Service != "iam" || a.Account != c.Account || !principalForm.MatchString(a.Resource) {
		return "", invalid("Invalid principal ARN. Specify the ARN of a user, a role or the root user of the account and try again.")
	}
	return ref.Principal(*given), nil
}

// put stores the value of a setting for a principal.
func (h *Handler) put(ctx context.Context, name, value *string, who string) (*ecs.Setting, error) {
	s, err := find(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.values, deref(value)) {
		return nil, invalid("Invalid setting 'value'")
	}
	c := auth.CallerFrom(ctx)
	r := compute.AccountSetting{Account: c.Account, Region: c.Region, Principal: who, Name: s.name, Value: *value}
	err = h.deps.Store.Update(ctx, func(tx store.Tx) error { return tables.AccountSettings.Put(tx, &r) })
	if err != nil {
		return nil, err
	}
	return s.show(c, who, *value), nil
}

var putAccountSettingHas = check.Required[ecs.PutAccountSettingInput]()

// PutAccountSetting sets a setting for the caller or another principal. For the
// root user it sets the account's default.
func (h *Handler) PutAccountSetting(ctx context.Context, in *ecs.PutAccountSettingInput) (*ecs.PutAccountSettingOutput, error) {
	if err := putAccountSettingHas(in); err != nil {
		return nil, err
	}
	who, err := principal(auth.CallerFrom(ctx), in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	s, err := h.put(ctx, in.Name, in.Value, who)
	if err != nil {
		return nil, err
	}
	return &ecs.PutAccountSettingOutput{Setting: s}, nil
}

var putAccountSettingDefaultHas = check.Required[ecs.PutAccountSettingDefaultInput]()

// PutAccountSettingDefault sets a setting for every principal without its own.
func (h *Handler) PutAccountSettingDefault(ctx context.Context, in *ecs.PutAccountSettingDefaultInput) (*ecs.PutAccountSettingDefaultOutput, error) {
	if err := putAccountSettingDefaultHas(in); err != nil {
		return nil, err
	}
	s, err := h.put(ctx, in.Name, in.Value, "")
	if err != nil {
		return nil, err
	}
	return &ecs.PutAccountSettingDefaultOutput{Setting: s}, nil
}

var deleteAccountSettingHas = check.Required[ecs.DeleteAccountSettingInput]()

// DeleteAccountSetting takes back what a principal set, and answers what holds for
// it now.
func (h *Handler) DeleteAccountSetting(ctx context.Context, in *ecs.DeleteAccountSettingInput) (*ecs.DeleteAccountSettingOutput, error) {
	if err := deleteAccountSettingHas(in); err != nil {
		return nil, err
	}
	c := auth.CallerFrom(ctx)
	s, err := find(in.Name)
	if err != nil {
		return nil, err
	}
	who, err := principal(c, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	var value string
	err = h.deps.Store.Update(ctx, func(tx store.Tx) error {
		if err := tables.AccountSettings.Delete(tx, c.Account, c.Region, s.name, who); err != nil {
			return err
		}
		_, value, err = effective(tx, c, who, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecs.DeleteAccountSettingOutput{Setting: s.show(c, who, value)}, nil
}

// effective returns the value that holds for a principal and whose it is.
func effective(tx store.Tx, c auth.Caller, who string, s setting) (owner, value string, err error) {
	r, ok, err := lookup.Setting(tx, ref.Of(c), who, s.name)
	if err != nil || !ok {
		return "", s.value, err
	}
	return r.Principal, r.Value, nil
}

// ListAccountSettings lists what a principal set, or with effectiveSettings what
// holds for it.
func (h *Handler) ListAccountSettings(ctx context.Context, in *ecs.ListAccountSettingsInput) (*ecs.ListAccountSettingsOutput, error) {
	size, err := check.PageSize(in.MaxResults, 10)
	if err != nil {
		return nil, err
	}
	asked := settings
	if in.Name != nil {
		s, err := find(in.Name)
		if err != nil {
			return nil, err
		}
		asked = []setting{s}
	} else if in.Value != nil {
		return nil, invalid("The setting name must be specified with the setting value.")
	}
	c := auth.CallerFrom(ctx)
	who, err := principal(c, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	scope := []string{c.Account, c.Region, "ListAccountSettings", who, deref(in.Name), deref(in.Value)}
	last, err := check.Position(h.seal, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	var found []ecs.Setting
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		found = nil
		for _, s := range asked {
			owner, value, err := effective(tx, c, who, s)
			if err != nil {
				return err
			}
			if !deref(in.EffectiveSettings) {
				var set bool
				if _, set, err = tables.AccountSettings.Find(tx, c.Account, c.Region, s.name, who); err != nil {
					return err
				}
				if !set {
					continue
				}
			}
			if s.name > last && (in.Value == nil || value == *in.Value) {
				found = append(found, *s.show(c, owner, value))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown, end := check.Page(found, size)
	out := &ecs.ListAccountSettingsOutput{Settings: append([]ecs.Setting{}, shown...)}
	if end != nil {
		out.NextToken = new(h.seal.Seal(*end.Name, scope...))
	}
	return out, nil
}

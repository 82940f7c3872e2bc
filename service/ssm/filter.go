package ssm

import (
	"slices"
	"strings"

	api "neargate/aws/ssm"
	"neargate/resource/param"
	"neargate/service/internal/member"
)

// The keys by which parameters are filtered, by operation.
var (
	allFilters  = []string{"Path", "Name", "Type", "KeyId", "Tier", "DataType"}
	pathFilters = []string{"Type", "KeyId", "Label"}
)

// filters select parameters; all must match.
type filters []api.ParameterStringFilter

// older rewrites filters of the older form.
func older(in []api.ParametersFilter) []api.ParameterStringFilter {
	var out []api.ParameterStringFilter
	for _, f := range in {
		option := "Equals"
		if *f.Key == "Name" {
			option = "BeginsWith"
		}
		out = append(out, api.ParameterStringFilter{Key: f.Key, Option: &option, Values: f.Values})
	}
	return out
}

// parseFilters checks filters that may have the given keys.
func parseFilters(in []api.ParameterStringFilter, keys []string) (filters, error) {
	var seen []string
	for i := range in {
		f := &in[i]
		key := *f.Key
		tag := strings.HasPrefix(key, "tag:") && slices.Contains(keys, "Name")
		switch {
		case !tag && !slices.Contains(keys, key):
			e := api.InvalidFilterKey("The following filter key is not valid: " + key + ". Valid filter keys include: [" + strings.Join(keys, ", ") + "].")
			e.Member = "message"
			return nil, e
		case slices.Contains(seen, key):
			return nil, invalid("The following filter is duplicated in the request: %s. A request can contain only one occurrence of a specific filter.", key)
		case len(f.Values) == 0 && !tag:
			return nil, api.InvalidFilterValue("The following filter values are missing : null for filter key " + key)
		case key == "Label" && len(f.Values) > 1:
			return nil, api.InvalidFilterValue("The following filter Label can have only one value")
		}
		seen = append(seen, key)
		if err := checkOption(key, f); err != nil {
			return nil, err
		}
	}
	return filters(in), nil
}

func checkOption(key string, f *api.ParameterStringFilter) error {
	valid := map[string][]string{"Path": {"OneLevel", "Recursive"}, "Name": {"BeginsWith", "Contains", "Equals"}}[key]
	if valid == nil {
		valid = []string{"BeginsWith", "Equals"}
	}
	if f.Option != nil && !slices.Contains(valid, *f.Option) {
		return api.InvalidFilterOption("The following filter option is not valid: " + *f.Option + ". Valid options include: [" + strings.Join(valid, ", ") + "].")
	}
	for _, v := range f.Values {
		ok := true
		switch key {
		case "Path":
			ok = strings.HasPrefix(v, "/")
		case "Type":
			ok = slices.Contains([]string{param.String, param.StringList, param.SecureString}, v) || member.Or(f.Option, "") == "BeginsWith"
		case "Tier":
			ok = slices.Contains([]string{param.Standard, param.Advanced, intelligent}, v)
		}
		if !ok {
			return api.InvalidFilterValue("The following filter value is not valid: " + v + ".")
		}
	}
	return nil
}

// label is the label that is asked for, or "".
func (f filters) label() string {
	for i := range f {
		if *f[i].Key == "Label" {
			return f[i].Values[0]
		}
	}
	return ""
}

// scope is what must stay the same from page to page.
func (f filters) scope() []string {
	var out []string
	for i := range f {
		out = append(out, *f[i].Key, member.Or(f[i].Option, ""), strings.Join(f[i].Values, "\x00"))
	}
	return out
}

func (f filters) match(p *param.Parameter) bool {
	for i := range f {
		if !matches(&f[i], p) {
			return false
		}
	}
	return true
}

func matches(f *api.ParameterStringFilter, p *param.Parameter) bool {
	option := member.Or(f.Option, "Equals")
	is := func(got string) bool {
		return slices.ContainsFunc(f.Values, func(v string) bool {
			switch option {
			case "BeginsWith":
				return strings.HasPrefix(got, v)
			case "Contains":
				return strings.Contains(got, v)
			}
			return got == v
		})
	}
	switch key := *f.Key; key {
	case "Name":
		return is(p.Name) || option != "Contains" && is(p.Path)
	case "Path":
		return slices.ContainsFunc(f.Values, func(v string) bool { return p.Under(v, option == "Recursive") })
	case "Type":
		return is(p.Latest.Type)
	case "KeyId":
		return is(p.Latest.KeyID)
	case "Tier":
		return is(p.Latest.Tier)
	case "DataType":
		return is(p.Latest.DataType)
	case "Label":
		return true // chooses a version
	default:
		name := strings.TrimPrefix(key, "tag:")
		return slices.ContainsFunc(p.Tags, func(t param.Tag) bool { return t.Key == name && (len(f.Values) == 0 || is(t.Value)) })
	}
}

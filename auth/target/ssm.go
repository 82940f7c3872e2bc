package target

import (
	"reflect"
	"strconv"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/resource/param"
	"neargate/store/tables/parameters"
)

// ssmRules are those of AWS Systems Manager Parameter Store.
var ssmRules = rules{
	resources: merge(
		each(func(in Input) []string { return in.parameters(in.text("Name")) },
			"PutParameter", "GetParameter", "GetParameterHistory", "DeleteParameter", "LabelParameterVersion", "UnlabelParameterVersion"),
		each(func(in Input) []string { return in.parameters(in.list("Names")...) }, "GetParameters", "DeleteParameters"),
		each(func(in Input) []string { return in.parameters(in.text("Path")) }, "GetParametersByPath"),
		each(func(in Input) []string { return in.parameters(in.text("ResourceId")) },
			"AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
		each(func(in Input) []string { return []string{arn.New("ssm", in.Caller.Region, in.Caller.Account, "*")} }, "DescribeParameters"),
	),
	context: func(in Input, operation string, keys policy.Context) {
		for member, name := range map[string]string{"Overwrite": "ssm:Overwrite", "Recursive": "ssm:Recursive"} {
			if v := in.field(in.Value, member); v.Kind() == reflect.Bool {
				keys.Set(name, strconv.FormatBool(v.Bool()))
			}
		}
		if operation == "PutParameter" {
			keys.Set("ssm:Policies", strconv.FormatBool(in.text("Policies") != ""))
		}
	},
	about: func(in Input, resource string) (Resource, error) {
		r, ok := param.Parse(resource, in.Caller.Account, in.Caller.Region)
		if !ok {
			return Resource{}, nil
		}
		p, ok, err := parameters.Parameters.Find(in.Tx, r.Account, r.Region, r.Path)
		if err != nil || !ok {
			return Resource{}, err
		}
		out := Resource{Account: p.Account}
		for _, t := range p.Tags {
			out.Tags = append(out.Tags, identity.Tag{Key: t.Key, Value: t.Value})
		}
		return out, nil
	},
}

// parameters are the ARNs of parameters, given by name or ARN, with or without
// selectors.
func (in Input) parameters(names ...string) []string {
	var out []string
	for _, name := range names {
		if r, ok := param.Parse(name, in.Caller.Account, in.Caller.Region); ok {
			out = append(out, param.ARN(r.Account, r.Region, r.Path))
		} else if name != "" {
			out = append(out, param.ARN(in.Caller.Account, in.Caller.Region, name))
		}
	}
	return out
}

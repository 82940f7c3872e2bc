// Package target says what the operations of AWS's services need permission for: the
// resources and condition keys of each, and what decides about a resource besides
// the policies of the caller.
package target

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
)

// Target is one action on some resources that a call needs permission for.
type Target struct {
	Action    string
	Resources []string
	Context   policy.Context
}

// Resource is what decides about the use of a resource besides the policies of the
// caller. A service whose resources have policies or tags says so in the function
// about of its rules, and Authorize takes them into account for every operation. It
// passes what it does not learn from an operation's input to Allow.
type Resource struct {
	Account string         // who owns it; "" for the account in its ARN
	Policy  string         // its policy document; "" when it has none
	Sole    bool           // nothing is allowed unless Policy allows it, as with KMS keys
	Tags    []identity.Tag // give aws:ResourceTag/KEY and SERVICE:ResourceTag/KEY
}

// rules say what the operations of one service need permission for. Those of
// SERVICE are in SERVICE.go, and services has a line for them.
// Source: AWS Service Authorization Reference.
type rules struct {
	// resources gives the ARNs an operation is about; operations left out, and
	// those whose function finds none, are about "*".
	resources map[string]func(Input) []string
	// action gives the actions of operations that are called otherwise.
	action map[string]string
	// context sets the service's own condition keys; nil for none.
	context func(in Input, operation string, keys policy.Context)
	// also gives permissions needed besides the operation's own, such as
	// iam:PassRole; nil for none.
	also func(in Input, operation string) []Target
	// about finds what decides about the use of a resource, given by one of the
	// ARNs above, besides the caller's policies; nil where resources have no
	// policies. A resource that does not exist is the zero Resource; only its owner
	// may ask for it.
	about func(in Input, resource string) (Resource, error)
	// tags are those of a resource, in place of about where resources have tags but
	// no policies; nil for none.
	tags func(in Input, resource string) ([]identity.Tag, error)
}

// services are the rules of each service, by what its actions begin with.
var services = map[string]rules{
	"budgets":        budgetsRules,
	"cloudtrail":     trailRules,
	"ec2":            ec2Rules,
	"ecr":            ecrRules,
	"ecs":            ecsRules,
	"iam":            iamRules,
	"kms":            kmsRules,
	"ssm":            ssmRules,
	"route53":        route53Rules,
	"secretsmanager": secretsRules,
	"signer":         signerRules,
	"logs":           logsRules,
	"sts":            stsRules,
}

// Of are the permissions a call needs: the operation itself, and what else it does
// for the caller.
func Of(in Input, service, operation string) []Target {
	keys := policy.Context{}
	in.tagKeys(keys)
	r := services[service]
	if r.context != nil {
		r.context(in, operation, keys)
	}
	var resources []string
	if f, ok := r.resources[operation]; ok {
		resources = f(in)
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	out := []Target{{service + ":" + cmp.Or(r.action[operation], operation), resources, keys}}
	if r.also != nil {
		out = append(out, r.also(in, operation)...)
	}
	return out
}

// Guarded reports whether resources of a service have policies.
func Guarded(service string) bool { return services[service].about != nil }

// About is what decides about a resource of a service; guarded is false where that is
// its tags only, which nobody looks at for a root user.
func About(in Input, service, resource string, root bool) (r Resource, guarded bool, err error) {
	rules := services[service]
	switch {
	case resource == "*":
	case rules.about != nil:
		r, err = rules.about(in, resource)
		return r, true, err
	case rules.tags != nil && !root:
		r.Tags, err = rules.tags(in, resource)
	}
	return r, false, err
}

// each gives several operations the same resources.
func each(f func(Input) []string, operations ...string) map[string]func(Input) []string {
	m := map[string]func(Input) []string{}
	for _, op := range operations {
		m[op] = f
	}
	return m
}

func merge(parts ...map[string]func(Input) []string) map[string]func(Input) []string {
	all := map[string]func(Input) []string{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// Input is an operation's input, whose members are read by their names, and whose it
// is.
type Input struct {
	Value  reflect.Value
	Caller Caller
	Tx     store.Tx
}

// Caller is who asks.
type Caller struct{ Account, Region, ARN string }

// field is the named member; the zero Value when there is none or it is nil.
func (in Input) field(v reflect.Value, name string) reflect.Value {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return reflect.Indirect(v.FieldByName(name))
}

func (in Input) text(name string) string { return asText(in.field(in.Value, name)) }

func asText(v reflect.Value) string {
	if v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

func (in Input) list(name string) []string {
	v := in.field(in.Value, name)
	if v.Kind() != reflect.Slice {
		return nil
	}
	var out []string
	for i := range v.Len() {
		out = append(out, asText(reflect.Indirect(v.Index(i))))
	}
	return out
}

// all are the elements of a list of structures.
func (in Input) all(name string) []reflect.Value {
	v := in.field(in.Value, name)
	if v.Kind() != reflect.Slice {
		return nil
	}
	out := make([]reflect.Value, v.Len())
	for i := range out {
		out[i] = reflect.Indirect(v.Index(i))
	}
	return out
}

func (in Input) given(name string) []string {
	if v := in.text(name); v != "" {
		return []string{v}
	}
	return nil
}

// tagKeys sets aws:TagKeys and aws:RequestTag from the tags of the request.
func (in Input) tagKeys(keys policy.Context) {
	names := in.list("TagKeys")
	add := func(key, value string) {
		names = append(names, key)
		keys.Set("aws:RequestTag/"+key, value)
	}
	switch tags := in.field(in.Value, "Tags"); tags.Kind() {
	case reflect.Map:
		for _, k := range tags.MapKeys() {
			add(k.String(), tags.MapIndex(k).String())
		}
	case reflect.Slice:
		for i := range tags.Len() {
			if t := tags.Index(i); t.Kind() == reflect.Struct {
				add(asText(in.field(t, "Key")), asText(in.field(t, "Value")))
			}
		}
	}
	slices.Sort(names)
	keys.Set("aws:TagKeys", names...)
}

package auth

import (
	"cmp"
	"reflect"
	"slices"

	"neargate/auth/operation"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
)

// target is one action on some resources that a call needs permission for.
type target struct {
	action    string
	resources []string
	context   policy.Context
}

// rules say what the operations of one service need permission for. Those of
// SERVICE are in target_SERVICE.go, and services has a line for them.
// Source: AWS Service Authorization Reference.
type rules struct {
	// resources gives the ARNs an operation is about; operations left out, and
	// those whose function finds none, are about "*".
	resources map[string]func(input) []string
	// action gives the actions of operations that are called otherwise.
	action map[string]string
	// context sets the service's own condition keys; nil for none.
	context func(in input, operation string, keys policy.Context)
	// also gives permissions needed besides the operation's own, such as
	// iam:PassRole; nil for none.
	also func(in input, operation string) []target
	// about finds what decides about the use of a resource, given by one of the
	// ARNs above, besides the caller's policies; nil where resources have no
	// policies. A resource that does not exist is the zero Resource; only its owner
	// may ask for it.
	about func(in input, resource string) (Resource, error)
	// tags are those of a resource, in place of about where resources have tags but
	// no policies; nil for none.
	tags func(in input, resource string) ([]identity.Tag, error)
}

// services are the rules of each service, by what its actions begin with.
var services = map[string]rules{
	"budgets":        budgetsRules,
	"ec2":            ec2Rules,
	"ecr":            ecrRules,
	"ecs":            ecsRules,
	"iam":            iamRules,
	"kms":            kmsRules,
	"ssm":            ssmRules,
	"route53":        route53Rules,
	"secretsmanager": secretsRules,
	"logs":           logsRules,
	"sts":            stsRules,
}

// targets are the permissions a call needs: the operation itself, and what else
// it does for the caller.
func targets(in input, call Call) []target {
	keys := policy.Context{}
	in.tagKeys(keys)
	r := services[call.Service]
	if r.context != nil {
		r.context(in, call.Operation, keys)
	}
	var resources []string
	if f, ok := r.resources[call.Operation]; ok {
		resources = f(in)
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	out := []target{{call.Service + ":" + cmp.Or(r.action[call.Operation], call.Operation), resources, keys}}
	if r.also != nil {
		out = append(out, r.also(in, call.Operation)...)
	}
	return out
}

// each gives several operations the same resources.
func each(f func(input) []string, operations ...string) map[string]func(input) []string {
	return operation.Each(f, operations...)
}

// tagged are the tags of a record.
func tagged[T ~struct{ Key, Value string }](tags []T) []identity.Tag { return operation.Tags(tags) }

func merge(parts ...map[string]func(input) []string) map[string]func(input) []string {
	return operation.Merge(parts...)
}

// input reads an operation's input by member name.
type input struct {
	value  reflect.Value
	caller Caller
	tx     store.Tx
}

// field is the named member; the zero Value when there is none or it is nil.
func (in input) field(v reflect.Value, name string) reflect.Value { return operation.Field(v, name) }

func (in input) text(name string) string { return asText(in.field(in.value, name)) }

func asText(v reflect.Value) string { return operation.Text(v) }

func (in input) list(name string) []string { return operation.List(in.value, name) }

// all are the elements of a list of structures.
func (in input) all(name string) []reflect.Value { return operation.All(in.value, name) }

func (in input) given(name string) []string {
	if v := in.text(name); v != "" {
		return []string{v}
	}
	return nil
}

// tagKeys sets aws:TagKeys and aws:RequestTag from the tags of the request.
func (in input) tagKeys(keys policy.Context) {
	names := in.list("TagKeys")
	add := func(key, value string) {
		names = append(names, key)
		keys.Set("aws:RequestTag/"+key, value)
	}
	switch tags := in.field(in.value, "Tags"); tags.Kind() {
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

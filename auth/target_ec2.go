package auth

import (
	"neargate/auth/ec2"
	"neargate/auth/policy"
	"neargate/resource/identity"
)

// ec2Rules are those of Amazon EC2.
var ec2Rules = rules{
	resources: ec2Resources(),
	tags:      func(in input, resource string) ([]identity.Tag, error) { return in.ec2().Tags(resource) },
	context:   func(in input, _ string, keys policy.Context) { in.ec2().Keys(keys) },
	also: func(in input, operation string) []target {
		var out []target
		for _, p := range in.ec2().Tagging(operation) {
			out = append(out, target{p.Action, p.Resources, p.Context})
		}
		return out
	},
}

// ec2 is the call as package ec2 reads it.
func (in input) ec2() ec2.Request {
	return ec2.Request{Input: in.value, Account: in.caller.Account, Region: in.caller.Region, Tx: in.tx}
}

// ec2Resources are the rules of package ec2.
func ec2Resources() map[string]func(input) []string {
	out := map[string]func(input) []string{}
	for op, f := range ec2.Resources {
		out[op] = func(in input) []string { return f(in.ec2()) }
	}
	return out
}

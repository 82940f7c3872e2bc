// Package arn parses, prints and mints Amazon Resource Names, region facts and
// resource ids. Chance comes from an injected source.
package arn

import (
	"errors"
	"strings"
)

// ErrMalformed reports a string that is not an ARN.
var ErrMalformed = errors.New("arn: malformed")

// ARN is a parsed Amazon Resource Name,
// arn:partition:service:region:account:resource.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse splits s into its six fields. The resource keeps its colons and slashes.
func Parse(s string) (ARN, error) {
	s, ok := strings.CutPrefix(s, "arn:")
	var a ARN
	for _, field := range [...]*string{&a.Partition, &a.Service, &a.Region, &a.Account} {
		if *field, s, ok = strings.Cut(s, ":"); !ok {
			break
		}
	}
	if a.Resource = s; !ok || a.Partition == "" || a.Service == "" || s == "" {
		return ARN{}, ErrMalformed
	}
	return a, nil
}

// String prints the ARN.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Is reports whether s looks like an ARN at all.
func Is(s string) bool { return strings.HasPrefix(s, "arn:") }

// New makes an ARN in the partition of the region, of a resource in parts.
func New(service, region, account string, resource ...string) string {
	const most = 64 // of the fields before the resource, seldom more
	n := most
	for _, part := range resource {
		n += len(part)
	}
	var b strings.Builder
	b.Grow(n)
	for _, field := range [...]string{"arn", Partition(region), service, region, account} {
		b.WriteString(field)
		b.WriteByte(':')
	}
	for _, part := range resource {
		b.WriteString(part)
	}
	return b.String()
}

// Path returns the parts of a resource such as "service/cluster/name".
func (a ARN) Path() []string { return strings.Split(a.Resource, "/") }

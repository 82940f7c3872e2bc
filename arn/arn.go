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
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, ErrMalformed
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

// String prints the ARN.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// Is reports whether s looks like an ARN at all.
func Is(s string) bool { return strings.HasPrefix(s, "arn:") }

// New makes an ARN in the partition of the region.
func New(service, region, account, resource string) string {
	return ARN{Partition(region), service, region, account, resource}.String()
}

// Path returns the parts of a resource such as "service/cluster/name".
func (a ARN) Path() []string { return strings.Split(a.Resource, "/") }

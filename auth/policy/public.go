package policy

import (
	"slices"
	"strings"
)

// limiting are the condition keys that tell callers apart by who they are or where
// they are, in lower case. Source: "The meaning of public", Amazon S3 User Guide.
var limiting = []string{
	"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceip",
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid", "kms:calleraccount",
}

// Limited reports whether a condition keeps the statement from applying to
// everybody: it wants a fixed value of a key that tells callers apart.
func (s *Statement) Limited() bool {
	return slices.ContainsFunc(s.conditions, func(c condition) bool {
		if !slices.Contains(limiting, strings.ToLower(c.key)) || c.op.negated || c.ifExists || c.null || c.each == forAll {
			return false
		}
		return !slices.ContainsFunc(c.values, func(v string) bool {
			return strings.Trim(v, "*?") == "" || strings.Contains(v, "${") || v == "0.0.0.0/0" || v == "::/0"
		})
	})
}

// Package bucketpolicy checks policies of buckets as Amazon S3 does, in its words,
// and says which are public.
package bucketpolicy

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"neargate/auth/policy"
)

// Malformed is what Amazon S3 says of a document that is no bucket policy.
type Malformed string

// Error implements error.
func (m Malformed) Error() string { return string(m) }

// MaxSize is how long a document may be.
const MaxSize = 20 << 10

// Check checks a document for the bucket with the ARN. The error is a
// Malformed.
func Check(text, bucketARN string) error {
	if !json.Valid([]byte(text)) || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return Malformed("Policies must be valid JSON and the first byte must be '{'")
	}
	doc, err := policy.Parse(text)
	if err != nil {
		return Malformed("Invalid policy syntax.")
	}
	if len(doc.Statements) == 0 {
		return Malformed("Missing required field Statement")
	}
	for i := range doc.Statements {
		if err := check(&doc.Statements[i], bucketARN); err != nil {
			return err
		}
	}
	return nil
}

var principalARN = regexp.MustCompile(`^arn:aws[a-z-]*:(iam::[0-9]{12}:(root|user/.+|role/.+)|sts::[0-9]{12}:(assumed-role/[^/]+/.+|federated-user/.+)|iam::cloudfront:user/.+)$`)

func check(s *policy.Statement, bucketARN string) error {
	switch {
	case len(s.Principals) == 0:
		return Malformed("Missing required field Principal")
	case len(s.Actions) == 0:
		return Malformed("Missing required field Action")
	case len(s.Resources) == 0:
		return Malformed("Missing required field Resource")
	}
	for _, p := range s.Principals {
		if p.Type == "AWS" && p.ID != "*" && !principalARN.MatchString(p.ID) && !accountID(p.ID) {
			return Malformed("Invalid principal in policy")
		}
	}
	ofBucket, ofObject := false, false
	for _, r := range s.Resources {
		rest, ok := strings.CutPrefix(r, bucketARN)
		switch {
		case ok && rest == "":
			ofBucket = true
		case ok && rest[0] == '/':
			ofObject = true
		case r == "*", strings.ContainsAny(r, "*?$") && prefixes(r, bucketARN):
			ofBucket, ofObject = true, true
		default:
			return Malformed("Policy has invalid resource")
		}
	}
	if s.NotAction {
		return nil
	}
	for _, a := range s.Actions {
		service, name, _ := strings.Cut(a, ":")
		if a != "*" && !strings.EqualFold(service, "s3") || a != "*" && name == "" {
			return Malformed("Policy has invalid action")
		}
	}
	if !slices.ContainsFunc(s.Actions, func(a string) bool { return applies(a, ofBucket, ofObject) }) {
		return Malformed("Action does not apply to any resource(s) in statement")
	}
	return nil
}

// prefixes reports whether a pattern agrees with the ARN up to its first wildcard.
func prefixes(pattern, bucketARN string) bool {
	before := pattern[:strings.IndexAny(pattern, "*?$")]
	return strings.HasPrefix(bucketARN, before) || strings.HasPrefix(before, bucketARN+"/")
}

func accountID(id string) bool { return len(id) == 12 && strings.Trim(id, "0123456789") == "" }

// objectActions begins the names of actions on objects.
var objectActions = regexp.MustCompile(`(?i)^s3:(AbortMultipartUpload|BypassGovernanceRetention|DeleteObject|GetObject|ListMultipartUploadParts|ObjectOwnerOverrideToBucketOwner|PutObject|Replicate|RestoreObject|InitiateReplication)`)

// applies reports whether an action can be one on the given kinds of resources.
func applies(action string, bucket, object bool) bool {
	if strings.ContainsAny(action, "*?") {
		return true
	}
	if objectActions.MatchString(action) && !strings.EqualFold(action, "s3:GetObjectLockConfiguration") {
		return object
	}
	return bucket
}

// Public reports whether a document lets anybody do something, in the sense of
// Block Public Access: a statement allows everyone, and no condition holds it to
// fixed callers or places.
// Source: Amazon S3 User Guide, "The meaning of public".
func Public(text string) bool {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(text), &doc) != nil {
		return false
	}
	var all []statement
	if json.Unmarshal(doc.Statement, &all) != nil {
		all = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &all[0]) != nil {
			return false
		}
	}
	return slices.ContainsFunc(all, statement.public)
}

type statement struct {
	Effect       string
	Principal    any
	NotPrincipal any
	Condition    map[string]map[string]any
}

func (s statement) public() bool {
	if s.Effect != "Allow" || s.NotPrincipal == nil && !everyone(s.Principal) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if narrows(strings.ToLower(operator), strings.ToLower(key), values) {
				return false
			}
		}
	}
	return true
}

func everyone(principal any) bool {
	switch p := principal.(type) {
	case string:
		return p == "*"
	case map[string]any:
		return slices.Contains(texts(p["AWS"]), "*")
	}
	return false
}

// narrowing are the condition keys that hold a statement to fixed callers.
var narrowing = []string{
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:sourceip", "aws:sourcevpc", "aws:sourcevpce",
	"aws:sourceowner", "aws:sourcearn", "aws:sourceaccount", "aws:userid", "s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
}

func narrows(operator, key string, values any) bool {
	if strings.Contains(operator, "not") || strings.HasSuffix(operator, "ifexists") || !slices.Contains(narrowing, key) {
		return false
	}
	for _, v := range texts(values) {
		if strings.Contains(v, "${") || key != "aws:sourcearn" && key != "aws:principalarn" && key != "aws:userid" && strings.ContainsAny(v, "*?") ||
			strings.Trim(v, "*?") == "" || key == "aws:sourceip" && (strings.HasSuffix(v, "/0") || strings.HasSuffix(v, "/1")) {
			return false
		}
	}
	return true
}

// texts are the strings of a value that may be one or many.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

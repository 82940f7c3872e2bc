package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is where a policy document is used.
type Kind int

// The kinds of policies, each with rules of its own.
const (
	Managed Kind = iota // customer managed policy
	Inline              // embedded in a user or a role
	Session             // handed over when a role is assumed
	Trust               // who may assume a role
)

// Malformed is what AWS's MalformedPolicyDocument error says.
type Malformed string

// Error implements error.
func (m Malformed) Error() string { return string(m) }

const syntax = Malformed("Syntax errors in policy.")

var (
	sidPattern    = regexp.MustCompile(`^[0-9A-Za-z]*$`)
	vendorPattern = regexp.MustCompile(`^[A-Za-z0-9.\-]+$`)
	principalARN  = regexp.MustCompile(`^arn:aws[a-z-]*:(iam::[0-9]{12}:(root|user/.+|role/.+)|sts::[0-9]{12}:(assumed-role/[^/]+/[^/]+|federated-user/.+))$`)
	servicePat    = regexp.MustCompile(`^[a-z0-9.\-]+\.amazonaws\.com(\.cn)?$`)
	federatedPat  = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::[0-9]{12}:(saml|oidc)-provider/.+|cognito-identity\.amazonaws\.com|www\.amazon\.com|graph\.facebook\.com|accounts\.google\.com)$`)
	accountPat    = regexp.MustCompile(`^[0-9]{12}$`)
)

// assumeActions are the actions a trust policy may name.
var assumeActions = []string{
	"sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity",
	"sts:tagsession", "sts:setsourceidentity", "sts:setcontext",
}

// iamPaths are what the resource of an IAM ARN may begin with.
var iamPaths = []string{
	"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/",
	"policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
}

// Check parses a document and checks it as the kind of policy it is to be. The
// error is a Malformed.
func Check(text string, kind Kind) (*Document, error) {
	doc, err := Parse(text)
	if err != nil {
		if kind == Trust && !json.Valid([]byte(text)) {
			return nil, Malformed("This policy contains invalid Json")
		}
		return nil, syntax
	}
	if kind == Managed && doc.Version != version2012 {
		return nil, Malformed("Policy document must be version 2012-10-17 or greater.")
	}
	var sids []string
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if err := s.check(kind); err != nil {
			return nil, err
		}
		if s.SID != "" && slices.Contains(sids, s.SID) {
			return nil, Malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		sids = append(sids, s.SID)
	}
	return doc, nil
}

func (s *Statement) check(kind Kind) error {
	if !sidPattern.MatchString(s.SID) && kind != Trust {
		return Malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	if kind != Session {
		for _, c := range s.conditions {
			if !c.wellFormed() {
				return syntax
			}
		}
	}
	if kind == Trust {
		return s.checkTrust()
	}
	if s.principalSeen {
		return Malformed("Policy document should not specify a principal.")
	}
	if len(s.Actions) == 0 {
		return Malformed("Policy statement must contain actions.")
	}
	if len(s.Resources) == 0 {
		return Malformed("Policy statement must contain resources.")
	}
	for _, a := range s.Actions {
		if err := checkAction(a); err != nil {
			return err
		}
	}
	for _, r := range s.Resources {
		if err := checkResource(r); err != nil {
			return err
		}
	}
	return nil
}

func checkAction(a string) error {
	if a == "*" {
		return nil
	}
	vendor, name, ok := strings.Cut(a, ":")
	switch {
	case !ok:
		return Malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case strings.Contains(name, ":"):
		return Malformed("Actions/Condition can contain only one colon.")
	case !vendorPattern.MatchString(vendor):
		return Malformed("Vendor " + vendor + " is not valid")
	}
	return nil
}

func checkResource(r string) error {
	if r == "*" {
		return nil
	}
	if !strings.HasPrefix(r, "arn:") && !strings.HasPrefix(r, "${") {
		return Malformed(fmt.Sprintf("Resource %s must be in ARN format or \"*\".", r))
	}
	fields := splitARN(r)
	if len(fields) < 6 {
		return Malformed("The policy failed legacy parsing")
	}
	partition, service, region, resource := fields[1], fields[2], fields[3], fields[5]
	switch {
	case !slices.Contains([]string{"aws", "aws-cn", "aws-us-gov", "*"}, partition) && !strings.Contains(partition, "${"):
		return Malformed(fmt.Sprintf("Partition %q is not valid for resource %q.", partition, r))
	case strings.ContainsAny(service, "*?"):
		return Malformed("Resource vendor must be fully qualified and cannot contain regexes.")
	case service != "iam":
		return nil
	case region != "":
		return Malformed(fmt.Sprintf("IAM resource %s cannot contain region information.", r))
	case resource != "*" && resource != "root" && !slices.ContainsFunc(iamPaths, func(p string) bool { return strings.HasPrefix(resource, p) }):
		return Malformed("IAM resource path must either be \"*\" or start with " + strings.Join(iamPaths[:len(iamPaths)-1], ", ") + ", or " + iamPaths[len(iamPaths)-1] + ".")
	}
	return nil
}

func (s *Statement) checkTrust() error {
	if s.Resources != nil {
		return Malformed("Has prohibited field Resource")
	}
	if !s.principalSeen || len(s.Principals) == 0 {
		return Malformed("Missing required field Principal")
	}
	if len(s.Actions) == 0 {
		return Malformed("Missing required field Action")
	}
	for _, a := range s.Actions {
		if !slices.Contains(assumeActions, strings.ToLower(a)) {
			return Malformed("AssumeRole policy may only specify STS AssumeRole actions.")
		}
	}
	for _, p := range s.Principals {
		if !p.wellFormed() {
			return InvalidPrincipal(p)
		}
	}
	return nil
}

// InvalidPrincipal is what AWS says of a principal that does not exist or could
// not.
func InvalidPrincipal(p Principal) Malformed {
	kind := p.Type
	if kind != "AWS" {
		kind = strings.ToUpper(kind)
	}
	return Malformed(fmt.Sprintf("Invalid principal in policy: %q:%q", kind, p.ID))
}

func (p Principal) wellFormed() bool {
	switch p.Type {
	case "AWS":
		return p.ID == "*" || accountPat.MatchString(p.ID) || principalARN.MatchString(p.ID)
	case "Service":
		return servicePat.MatchString(p.ID)
	case "Federated":
		return federatedPat.MatchString(p.ID)
	}
	return false
}

// wellFormed reports whether the literals of a condition are of the operator's
// type.
func (c *condition) wellFormed() bool {
	if c.null {
		return !slices.ContainsFunc(c.values, func(v string) bool {
			return !slices.Contains([]string{"true", "false"}, strings.ToLower(v))
		})
	}
	return !slices.ContainsFunc(c.values, func(v string) bool {
		return c.op.literal != nil && !strings.Contains(v, "${") && !c.op.literal(v)
	})
}

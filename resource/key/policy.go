package key

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"neargate/arn"
)

// DefaultPolicy is the policy of a key that is created without one: it leaves the
// decision to the account's IAM policies.
func DefaultPolicy(account, region string) string {
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "%s"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, root(account, region))
}

func root(account, region string) string {
	return arn.ARN{Partition: arn.Partition(region), Service: "iam", Account: account, Resource: "root"}.String()
}

// managed are the services with a key of their own in every account, and how the
// service is called in the key's policy.
var managed = map[string]string{
	"ecr":            "Amazon ECR",
	"s3":             "Amazon S3",
	"secretsmanager": "AWS Secrets Manager",
	"ssm":            "AWS Systems Manager",
}

// Managed is the service that an alias of AWS stands for, as in alias/aws/ssm.
func Managed(alias string) (service string, ok bool) {
	service, ok = strings.CutPrefix(alias, "alias/aws/")
	return service, ok && managed[service] != ""
}

// ManagedPolicy is the policy of a service's own key: the account's principals use
// it through the service only.
func ManagedPolicy(account, region, service string) string {
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "auto-%[1]s-1",
  "Statement" : [ {
    "Sid" : "Allow access through %[2]s for all principals in the account that are authorized to use %[2]s",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "%[3]s",
        "kms:ViaService" : "%[4]s"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "%[5]s"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`, service, managed[service], account, ViaService(service, region), root(account, region))
}

// ViaService is the value of the condition key kms:ViaService in a call of a
// service.
func ViaService(service, region string) string {
	return service + "." + region + "." + arn.DNSSuffix(region)
}

// ManagedDescription is the description of a service's own key.
func ManagedDescription(service string) string {
	return "Default key that protects my " + map[string]string{
		"ecr": "ECR data", "s3": "S3 objects", "secretsmanager": "Secrets Manager data", "ssm": "SSM parameters",
	}[service] + " when no other key is defined"
}

// WithGrants is a key's policy with a statement for what each of its grants allows.
func WithGrants(policy string, grants []Grant) (string, error) {
	if len(grants) == 0 {
		return policy, nil
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return "", err
	}
	var statements []json.RawMessage
	if raw := doc["Statement"]; len(raw) > 0 && strings.TrimSpace(string(raw))[0] == '[' {
		if err := json.Unmarshal(raw, &statements); err != nil {
			return "", err
		}
	} else {
		statements = []json.RawMessage{raw}
	}
	for i := range grants {
		for _, s := range grants[i].statements() {
			raw, err := json.Marshal(s)
			if err != nil {
				return "", err
			}
			statements = append(statements, raw)
		}
	}
	raw, err := json.Marshal(statements)
	if err != nil {
		return "", err
	}
	doc["Statement"] = raw
	out, err := json.Marshal(doc)
	return string(out), err
}

// statement is one statement of a policy.
type statement struct {
	Effect    string
	Principal map[string]string
	Action    []string
	Resource  string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// statements are what the grant allows its grantee and its retiring principal.
func (g *Grant) statements() []statement {
	var constrained, free []string
	for _, op := range g.Operations {
		switch op {
		case "DescribeKey", "CreateGrant", "RetireGrant":
			free = append(free, "kms:"+op)
		default:
			constrained = append(constrained, "kms:"+op)
		}
	}
	var out []statement
	add := func(principal string, actions []string, condition map[string]map[string][]string) {
		if len(actions) > 0 {
			out = append(out, statement{"Allow", map[string]string{"AWS": principal}, actions, "*", condition})
		}
	}
	add(g.Grantee, constrained, g.condition())
	for _, action := range free {
		switch action {
		case "kms:CreateGrant":
			add(g.Grantee, []string{action}, map[string]map[string][]string{
				"ForAllValues:StringEquals": {"kms:GrantOperations": g.Operations},
				"Null":                      {"kms:GrantOperations": {"false"}},
			})
		case "kms:RetireGrant":
			add(g.Grantee, []string{action}, map[string]map[string][]string{"StringEquals": {"kms:GrantId": {g.ID}}})
		default:
			add(g.Grantee, []string{action}, nil)
		}
	}
	if g.Retiring != "" {
		add(g.Retiring, []string{"kms:RetireGrant"}, map[string]map[string][]string{"StringEquals": {"kms:GrantId": {g.ID}}})
	}
	return out
}

// condition is the grant's constraint on the encryption context, as a condition.
func (g *Grant) condition() map[string]map[string][]string {
	pairs := g.Subset
	if g.Equals != nil {
		pairs = g.Equals
	}
	if pairs == nil {
		return nil
	}
	equals := map[string][]string{}
	for k, v := range pairs {
		equals["kms:EncryptionContext:"+k] = []string{strings.ReplaceAll(v, "${", "${$}{")}
	}
	out := map[string]map[string][]string{"StringEquals": equals}
	if g.Equals != nil {
		out["ForAllValues:StringEquals"] = map[string][]string{"kms:EncryptionContextKeys": slices.Sorted(maps.Keys(pairs))}
	}
	if len(equals) == 0 {
		delete(out, "StringEquals")
	}
	return out
}

package target

import (
	"reflect"
	"strconv"

	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/resource/secret"
	"neargate/store/tables/secrets"
)

// secretsRules are those of AWS Secrets Manager.
var secretsRules = rules{
	resources: merge(
		each(func(in Input) []string { return []string{in.secret(in.text("SecretId"))} },
			"DeleteResourcePolicy", "DeleteSecret", "DescribeSecret", "GetResourcePolicy", "GetSecretValue", "ListSecretVersionIds",
			"PutResourcePolicy", "PutSecretValue", "RestoreSecret", "RotateSecret", "TagResource", "UntagResource", "UpdateSecret",
			"UpdateSecretVersionStage"),
		each(func(in Input) []string {
			if in.text("SecretId") == "" {
				return nil
			}
			return []string{in.secret(in.text("SecretId"))}
		}, "ValidateResourcePolicy"),
		each(func(in Input) []string {
			return []string{secret.ARN(in.Caller.Account, in.Caller.Region, in.text("Name")+unknownSuffix)}
		}, "CreateSecret"),
	),
	context: func(in Input, _ string, keys policy.Context) {
		for _, name := range []string{"SecretId", "VersionId", "VersionStage", "Name", "Description", "KmsKeyId", "RotationLambdaARN"} {
			if v := in.text(name); v != "" {
				keys.Set("secretsmanager:"+name, v)
			}
		}
		for _, name := range []string{"ForceDeleteWithoutRecovery", "BlockPublicPolicy", "RecoveryWindowInDays"} {
			switch v := in.field(in.Value, name); v.Kind() {
			case reflect.Bool:
				keys.Set("secretsmanager:"+name, strconv.FormatBool(v.Bool()))
			case reflect.Int64:
				keys.Set("secretsmanager:"+name, strconv.FormatInt(v.Int(), 10))
			}
		}
	},
	also: func(in Input, operation string) []Target {
		if v := in.field(in.Value, "Filters"); operation == "BatchGetSecretValue" && v.Kind() == reflect.Slice && v.Len() > 0 {
			return []Target{{"secretsmanager:ListSecrets", []string{"*"}, nil}}
		}
		return nil
	},
	about: func(in Input, resource string) (Resource, error) {
		s, ok, err := secrets.Resolve(in.Tx, secret.Parse(resource, in.Caller.Account, in.Caller.Region))
		if err != nil || !ok {
			return Resource{}, err
		}
		return Secret(&s), nil
	},
}

// unknownSuffix ends the ARN of a secret that does not exist.
const unknownSuffix = "-??????"

// Secret is what decides about the use of a secret.
func Secret(s *secret.Secret) Resource {
	out := Resource{Account: s.Account, Policy: s.Policy}
	for _, t := range s.Tags {
		out.Tags = append(out.Tags, identity.Tag{Key: t.Key, Value: t.Value})
	}
	return out
}

// secret is the ARN of a secret given by name or ARN, with or without its suffix.
func (in Input) secret(id string) string {
	r := secret.Parse(id, in.Caller.Account, in.Caller.Region)
	if s, ok, err := secrets.Resolve(in.Tx, r); err == nil && ok {
		return s.ARN()
	}
	if _, _, has := secret.Split(r.Name); r.ARN && has {
		return secret.ARN(r.Account, r.Region, r.Name)
	}
	return secret.ARN(r.Account, r.Region, r.Name+unknownSuffix)
}

// SecretARN is the ARN of a secret given by name or ARN.
func SecretARN(in Input, id string) string { return in.secret(id) }

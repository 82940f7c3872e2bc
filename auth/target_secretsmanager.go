package auth

import (
	"reflect"
	"strconv"
	"time"

	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/resource/secret"
	"neargate/store"
	"neargate/store/tables/secrets"
)

// secretsRules are those of AWS Secrets Manager.
var secretsRules = rules{
	resources: merge(
		each(func(in input) []string { return []string{in.secret(in.text("SecretId"))} },
			"DeleteResourcePolicy", "DeleteSecret", "DescribeSecret", "GetResourcePolicy", "GetSecretValue", "ListSecretVersionIds",
			"PutResourcePolicy", "PutSecretValue", "RestoreSecret", "RotateSecret", "TagResource", "UntagResource", "UpdateSecret",
			"UpdateSecretVersionStage"),
		each(func(in input) []string {
			if in.text("SecretId") == "" {
				return nil
			}
			return []string{in.secret(in.text("SecretId"))}
		}, "ValidateResourcePolicy"),
		each(func(in input) []string {
			return []string{secret.ARN(in.caller.Account, in.caller.Region, in.text("Name")+unknownSuffix)}
		}, "CreateSecret"),
	),
	context: func(in input, _ string, keys policy.Context) {
		for _, name := range []string{"SecretId", "VersionId", "VersionStage", "Name", "Description", "KmsKeyId", "RotationLambdaARN"} {
			if v := in.text(name); v != "" {
				keys.Set("secretsmanager:"+name, v)
			}
		}
		for _, name := range []string{"ForceDeleteWithoutRecovery", "BlockPublicPolicy", "RecoveryWindowInDays"} {
			switch v := in.field(in.value, name); v.Kind() {
			case reflect.Bool:
				keys.Set("secretsmanager:"+name, strconv.FormatBool(v.Bool()))
			case reflect.Int64:
				keys.Set("secretsmanager:"+name, strconv.FormatInt(v.Int(), 10))
			}
		}
	},
	also: func(in input, operation string) []target {
		if v := in.field(in.value, "Filters"); operation == "BatchGetSecretValue" && v.Kind() == reflect.Slice && v.Len() > 0 {
			return []target{{"secretsmanager:ListSecrets", []string{"*"}, nil}}
		}
		return nil
	},
	about: func(in input, resource string) (Resource, error) {
		s, ok, err := secrets.Resolve(in.tx, secret.Parse(resource, in.caller.Account, in.caller.Region))
		if err != nil || !ok {
			return Resource{}, err
		}
		return secretResource(&s), nil
	},
}

// unknownSuffix ends the ARN of a secret that does not exist.
const unknownSuffix = "-??????"

func secretResource(s *secret.Secret) Resource {
	out := Resource{Account: s.Account, Policy: s.Policy}
	for _, t := range s.Tags {
		out.Tags = append(out.Tags, identity.Tag{Key: t.Key, Value: t.Value})
	}
	return out
}

// secret is the ARN of a secret given by name or ARN, with or without its suffix.
func (in input) secret(id string) string {
	r := secret.Parse(id, in.caller.Account, in.caller.Region)
	if s, ok, err := secrets.Resolve(in.tx, r); err == nil && ok {
		return s.ARN()
	}
	if _, _, has := secret.Split(r.Name); r.ARN && has {
		return secret.ARN(r.Account, r.Region, r.Name)
	}
	return secret.ARN(r.Account, r.Region, r.Name+unknownSuffix)
}

// MayReadSecret answers nil when the caller may read the value of a secret, given by
// name or ARN, and a *Denied when not.
func MayReadSecret(tx store.Tx, c Caller, now time.Time, id string) error {
	in := input{caller: c, tx: tx}
	u := Use{Action: "secretsmanager:GetSecretValue", Resource: in.secret(id), Keys: policy.Context{}}
	u.Keys.Set("secretsmanager:SecretId", id)
	s, ok, err := secrets.Resolve(tx, secret.Parse(id, c.Account, c.Region))
	if err != nil {
		return err
	}
	if ok {
		u.On = secretResource(&s)
	}
	return Allow(tx, c, now, u)
}

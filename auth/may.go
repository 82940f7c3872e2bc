package auth

import (
	"errors"
	"time"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/auth/target"
	"neargate/resource/identity"
	"neargate/resource/key"
	"neargate/resource/secret"
	"neargate/store"
	"neargate/store/tables/secrets"
)

// MayUseRepository answers nil when the caller may do something with a repository, or with one
// that is not there yet, and a *Denied when not.
func MayUseRepository(tx store.Tx, c Caller, now time.Time, action, repository string) error {
	a, err := arn.Parse(repository)
	if err != nil {
		return err
	}
	on, err := target.Repository(tx, a)
	if err != nil {
		return err
	}
	return Allow(tx, c, now, Use{Action: action, Resource: repository, On: on})
}

// MayReplicate reports whether policies of a repository and its registry let another
// account copy images into the repository, in a region.
func MayReplicate(tx store.Tx, now time.Time, account, region, repository string) (bool, error) {
	c := Caller{Account: account, Region: region, Partition: arn.Partition(region), ARN: identity.RootARN(account), UserID: account, Secure: true}
	err := MayUseRepository(tx, c, now, "ecr:ReplicateImage", repository)
	if _, denied := errors.AsType[*Denied](err); denied {
		return false, nil
	}
	return err == nil, err
}

// UseKey is what Allow is asked before a service, such as ssm, uses a KMS key for
// the caller, with an encryption context.
// Source: Forward access sessions, IAM User Guide.
func UseKey(tx store.Tx, c Caller, service, action string, k *key.Key, context map[string]string) (Use, error) {
	on, err := target.Key(tx, k)
	u := Use{Action: action, Resource: k.ARN(), Keys: policy.Context{}, On: on}
	u.Keys.Set("kms:CallerAccount", c.Account)
	target.EncryptionContext(u.Keys, context)
	u.Keys.Set("kms:ViaService", key.ViaService(service, c.Region))
	forwarded(u.Keys, service+".amazonaws.com")
	return u, err
}

// MayReadSecret answers nil when the caller may read the value of a secret, given by
// name or ARN, and a *Denied when not.
func MayReadSecret(tx store.Tx, c Caller, now time.Time, id string) error {
	in := target.Input{Caller: c.asks(), Tx: tx}
	u := Use{Action: "secretsmanager:GetSecretValue", Resource: target.SecretARN(in, id), Keys: policy.Context{}}
	u.Keys.Set("secretsmanager:SecretId", id)
	s, ok, err := secrets.Resolve(tx, secret.Parse(id, c.Account, c.Region))
	if err != nil {
		return err
	}
	if ok {
		u.On = target.Secret(&s)
	}
	return Allow(tx, c, now, u)
}

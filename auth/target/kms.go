package target

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/resource/key"
	"neargate/store"
	"neargate/store/tables/keys"
)

// kmsRules are those of AWS KMS.
var kmsRules = rules{
	action: map[string]string{"ReEncrypt": "ReEncryptFrom"},
	resources: merge(
		each(func(in Input) []string { return in.key(in.text("KeyId")) },
			"CancelKeyDeletion", "CreateGrant", "DescribeKey", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation",
			"Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GetKeyPolicy", "GetKeyRotationStatus", "ListGrants",
			"ListKeyPolicies", "ListKeyRotations", "ListResourceTags", "PutKeyPolicy", "RevokeGrant", "RotateKeyOnDemand",
			"ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateKeyDescription"),
		each(func(in Input) []string { return in.ciphertext("KeyId") }, "Decrypt"),
		each(func(in Input) []string { return in.ciphertext("SourceKeyId") }, "ReEncrypt"),
		each(func(in Input) []string {
			return append([]string{key.AliasARN(in.Caller.Account, in.Caller.Region, in.text("AliasName"))}, in.key(in.text("TargetKeyId"))...)
		}, "CreateAlias"),
		each(func(in Input) []string {
			alias := key.AliasARN(in.Caller.Account, in.Caller.Region, in.text("AliasName"))
			return append(append([]string{alias}, in.key(in.text("AliasName"))...), in.key(in.text("TargetKeyId"))...)
		}, "UpdateAlias"),
		each(func(in Input) []string {
			return append([]string{key.AliasARN(in.Caller.Account, in.Caller.Region, in.text("AliasName"))}, in.key(in.text("AliasName"))...)
		}, "DeleteAlias"),
		each(func(in Input) []string {
			if account, region, id, _, ok := key.ParseToken(in.text("GrantToken")); ok {
				return []string{key.ARN(account, region, id)}
			}
			return in.key(in.text("KeyId"))
		}, "RetireGrant"),
	),
	context: kmsContext,
	also: func(in Input, operation string) []Target {
		if operation != "ReEncrypt" {
			return nil
		}
		keys := policy.Context{}
		in.kmsCaller(keys)
		EncryptionContext(keys, in.texts("DestinationEncryptionContext"))
		in.aliased(keys, in.text("DestinationKeyId"))
		return []Target{{"kms:ReEncryptTo", in.key(in.text("DestinationKeyId")), keys}}
	},
	about: func(in Input, resource string) (Resource, error) {
		r, ok := key.Parse(resource, in.Caller.Account, in.Caller.Region)
		if !ok || r.Alias != "" {
			return Resource{}, nil
		}
		k, ok, err := keys.Keys.Find(in.Tx, r.Account, r.Region, r.ID)
		if err != nil || !ok {
			return Resource{}, err
		}
		return Key(in.Tx, &k)
	},
}

// Key is a key's policy with what its grants add to it.
func Key(tx store.Tx, k *key.Key) (Resource, error) {
	grants, err := store.Collect(keys.Grants.List(tx, k.Account, k.Region, k.ID))
	if err != nil {
		return Resource{}, err
	}
	text, err := key.WithGrants(k.Policy, grants)
	out := Resource{Account: k.Account, Policy: text, Sole: true}
	for _, t := range k.Tags {
		out.Tags = append(out.Tags, identity.Tag{Key: t.Key, Value: t.Value})
	}
	return out, err
}

// key is the ARN of a key given by id, alias or ARN, with what an alias stands for.
func (in Input) key(text string) []string {
	r, ok := key.Parse(text, in.Caller.Account, in.Caller.Region)
	switch {
	case text == "":
		return nil
	case !ok && arn.Is(text):
		return []string{text}
	case !ok:
		return []string{key.ARN(in.Caller.Account, in.Caller.Region, text)}
	}
	if k, ok, err := keys.Resolve(in.Tx, r); err == nil && ok {
		return []string{k.ARN()}
	}
	if r.Alias != "" {
		return []string{key.AliasARN(r.Account, r.Region, r.Alias)}
	}
	return []string{key.ARN(r.Account, r.Region, r.ID)}
}

// ciphertext is the ARN of the key that encrypted the request's ciphertext, and of
// the one that the request names.
func (in Input) ciphertext(name string) []string {
	var out []string
	if v := in.field(in.Value, "CiphertextBlob"); v.Kind() == reflect.Slice {
		if b, ok := key.ParseBlob(v.Bytes()); ok {
			out = append(out, key.ARN(b.Account, in.Caller.Region, b.ID))
		}
	}
	if text := in.text(name); text != "" {
		for _, a := range in.key(text) {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// texts is a map member of the request.
func (in Input) texts(name string) map[string]string {
	m, _ := in.Value.FieldByName(name).Interface().(map[string]string)
	return m
}

// kmsCaller sets the condition keys of every request to KMS.
func (in Input) kmsCaller(keys policy.Context) { keys.Set("kms:CallerAccount", in.Caller.Account) }

// aliased sets the condition keys about the alias a request names its key by.
func (in Input) aliased(keys policy.Context, text string) {
	if r, ok := key.Parse(text, in.Caller.Account, in.Caller.Region); ok && r.Alias != "" {
		keys.Set("kms:RequestAlias", r.Alias)
	}
}

// EncryptionContext sets the condition keys about an encryption context.
func EncryptionContext(keys policy.Context, context map[string]string) {
	for k, v := range context {
		keys.Set("kms:EncryptionContext:"+k, v)
	}
	keys.Set("kms:EncryptionContextKeys", slices.Sorted(maps.Keys(context))...)
}

// kmsContext sets the condition keys of a request to KMS.
func kmsContext(in Input, operation string, keys policy.Context) {
	in.kmsCaller(keys)
	in.aliased(keys, in.text("KeyId"))
	for _, name := range []string{"EncryptionContext", "SourceEncryptionContext"} {
		if in.Value.FieldByName(name).IsValid() {
			EncryptionContext(keys, in.texts(name))
		}
	}
	if operation == "CreateKey" {
		keys.Set("kms:KeySpec", "SYMMETRIC_DEFAULT")
		keys.Set("kms:KeyUsage", "ENCRYPT_DECRYPT")
		keys.Set("kms:KeyOrigin", "AWS_KMS")
	}
	for member, name := range map[string]string{
		"KeySpec": "kms:KeySpec", "KeyUsage": "kms:KeyUsage", "Origin": "kms:KeyOrigin", "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
		"GranteePrincipal": "kms:GranteePrincipal", "RetiringPrincipal": "kms:RetiringPrincipal", "GrantId": "kms:GrantId",
	} {
		if v := in.text(member); v != "" && (name != "kms:KeySpec" || operation == "CreateKey") {
			keys.Set(name, v)
		}
	}
	if _, _, _, grant, ok := key.ParseToken(in.text("GrantToken")); ok {
		keys.Set("kms:GrantId", grant)
	}
	keys.Set("kms:GrantOperations", in.list("Operations")...)
	if operation == "CreateGrant" {
		keys.Set("kms:GrantIsForAWSResource", "false")
	}
	for member, name := range map[string]string{
		"PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays", "RotationPeriodInDays": "kms:RotationPeriodInDays",
	} {
		if v := in.field(in.Value, member); v.Kind() == reflect.Int32 {
			keys.Set(name, strconv.FormatInt(v.Int(), 10))
		}
	}
	if v := in.field(in.Value, "BypassPolicyLockoutSafetyCheck"); v.Kind() == reflect.Bool {
		keys.Set("kms:BypassPolicyLockoutSafetyCheck", strconv.FormatBool(v.Bool()))
	}
}

package kms

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/resource/identity"
	"neargate/resource/key"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/keys"
)

const (
	account = "123456789012"
	rootARN = "arn:aws:iam::123456789012:root"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)

// world is a KMS, the context of its root user and a clock.
type world struct {
	*Service
	ctx context.Context
	t   *testing.T
	now time.Time
	ids *arn.Source
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: start, ids: arn.NewSource(rand.New(rand.NewSource(1)))}
	w.Service = New(service.Deps{Store: mem.New(mem.Paranoid()), Now: func() time.Time { return w.now }, IDs: w.ids}, [32]byte{1, 2, 3})
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: "us-east-1", ARN: rootARN, UserID: account})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fails checks an error, "Code: message".
func (w *world) fails(err error, want string) {
	w.t.Helper()
	if err == nil || err.Error() != want {
		w.t.Errorf("error %v\nwant  %s", err, want)
	}
}

func (w *world) key() *api.KeyMetadata {
	w.t.Helper()
	out, err := w.CreateKey(w.ctx, &api.CreateKeyInput{})
	w.must(err)
	return out.KeyMetadata
}

func (w *world) encrypt(id, text string, context map[string]string) []byte {
	w.t.Helper()
	out, err := w.Encrypt(w.ctx, &api.EncryptInput{KeyId: &id, Plaintext: []byte(text), EncryptionContext: context})
	w.must(err)
	return out.CiphertextBlob
}

func (w *world) user(name, document string) context.Context {
	w.t.Helper()
	k := identity.NewAccessKey(account, name, w.now, w.ids)
	u := identity.User{Account: account, Path: "/", Name: name, ID: w.ids.IAM("AIDA")}
	if document != "" {
		u.Grants.Inline = []identity.Inline{{Name: "p", Document: document}}
	}
	w.must(w.deps.Store.Update(w.ctx, func(tx store.Tx) error {
		if err := tables.AccessKeys.Put(tx, &k); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	}))
	return auth.WithCaller(w.ctx, auth.Caller{Account: account, Region: "us-east-1", ARN: u.ARN(), UserID: u.ID, AccessKeyID: k.ID})
}

// may asks the gate about a call.
func (w *world) may(ctx context.Context, operation string, in any) error {
	d := auth.NewDirectory(w.deps.Store, func() time.Time { return w.now })
	return d.Authorize(ctx, auth.CallerFrom(ctx), auth.Call{Service: "kms", Operation: operation, Input: in})
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	out, err := w.CreateKey(w.ctx, &api.CreateKeyInput{Description: new("d"), Tags: []api.Tag{{TagKey: new("b"), TagValue: new("2")}, {TagKey: new("a"), TagValue: new("1")}}})
	w.must(err)
	m := out.KeyMetadata
	if *m.Arn != "arn:aws:kms:us-east-1:123456789012:key/"+*m.KeyId || *m.KeyState != "Enabled" || !*m.Enabled || *m.KeyManager != "CUSTOMER" ||
		*m.KeySpec != "SYMMETRIC_DEFAULT" || *m.CustomerMasterKeySpec != "SYMMETRIC_DEFAULT" || len(*m.CurrentKeyMaterialId) != 64 || m.DeletionDate != nil {
		t.Errorf("created %+v", m)
	}
	tags, err := w.ListResourceTags(w.ctx, &api.ListResourceTagsInput{KeyId: m.KeyId, Limit: new(int32(1))})
	w.must(err)
	if *tags.Tags[0].TagKey != "a" || !*tags.Truncated {
		t.Errorf("tags %+v", tags)
	}
	tags, err = w.ListResourceTags(w.ctx, &api.ListResourceTagsInput{KeyId: m.KeyId, Marker: tags.NextMarker})
	w.must(err)
	if len(tags.Tags) != 1 || *tags.Tags[0].TagKey != "b" || *tags.Truncated || tags.NextMarker != nil {
		t.Errorf("tags %+v", tags)
	}
	for range 4 {
		w.key()
	}
	var ids []string
	in := &api.ListKeysInput{Limit: new(int32(2))}
	for {
		page, err := w.ListKeys(w.ctx, in)
		w.must(err)
		for _, k := range page.Keys {
			ids = append(ids, *k.KeyId)
		}
		if !*page.Truncated {
			break
		}
		in.Marker = page.NextMarker
	}
	if len(ids) != 5 {
		t.Errorf("listed %v", ids)
	}
	_, err = w.ListKeys(w.ctx, &api.ListKeysInput{Marker: new("forged")})
	w.fails(err, "InvalidMarkerException: Invalid marker")

	id := m.KeyId
	_, err = w.ScheduleKeyDeletion(w.ctx, &api.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: new(int32(7))})
	w.must(err)
	d, err := w.DescribeKey(w.ctx, &api.DescribeKeyInput{KeyId: id})
	w.must(err)
	if *d.KeyMetadata.KeyState != "PendingDeletion" || *d.KeyMetadata.Enabled || !d.KeyMetadata.DeletionDate.Equal(start.Truncate(time.Millisecond).AddDate(0, 0, 7)) {
		t.Errorf("pending %+v", d.KeyMetadata)
	}
	pending := "KMSInvalidStateException: " + *m.Arn + " is pending deletion."
	for name, call := range map[string]func() error{
		"Encrypt": func() error {
			_, err := w.Encrypt(w.ctx, &api.EncryptInput{KeyId: id, Plaintext: []byte("x")})
			return err
		},
		"EnableKey":   func() error { _, err := w.EnableKey(w.ctx, &api.EnableKeyInput{KeyId: id}); return err },
		"CreateAlias": func() error { return w.alias("alias/x", *id) },
		"ScheduleKeyDeletion": func() error {
			_, err := w.ScheduleKeyDeletion(w.ctx, &api.ScheduleKeyDeletionInput{KeyId: id})
			return err
		},
	} {
		if err := call(); err == nil || err.Error() != pending {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.CancelKeyDeletion(w.ctx, &api.CancelKeyDeletionInput{KeyId: id})
	w.must(err)
	_, err = w.Encrypt(w.ctx, &api.EncryptInput{KeyId: id, Plaintext: []byte("x")})
	w.fails(err, "DisabledException: "+*m.Arn+" is disabled.")
	_, err = w.EnableKey(w.ctx, &api.EnableKeyInput{KeyId: id})
	w.must(err)
	w.encrypt(*id, "x", nil)
	_, err = w.CancelKeyDeletion(w.ctx, &api.CancelKeyDeletionInput{KeyId: id})
	w.fails(err, "KMSInvalidStateException: "+*m.Arn+" is not pending deletion.")
}

func (w *world) alias(name, id string) error {
	_, err := w.CreateAlias(w.ctx, &api.CreateAliasInput{AliasName: &name, TargetKeyId: &id})
	return err
}

func TestRefusedSpecs(t *testing.T) {
	w := newWorld(t)
	for want, in := range map[string]*api.CreateKeyInput{
		"UnsupportedOperationException":                {KeySpec: new("RSA_2048"), KeyUsage: new("SIGN_VERIFY")},
		"ValidationException":                          {KeyUsage: new("SIGN_VERIFY")},
		"UnsupportedOperationException: Multi-Region":  {MultiRegion: new(true)},
		"UnsupportedOperationException: Origin":        {Origin: new("EXTERNAL")},
		"CustomKeyStoreNotFoundException":              {CustomKeyStoreId: new("cks-1")},
		"TagException: Tags beginning":                 {Tags: []api.Tag{{TagKey: new("AWS:x"), TagValue: new("")}}},
		"MalformedPolicyDocumentException: Policy con": {Policy: new("{}")},
	} {
		if _, err := w.CreateKey(w.ctx, in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if list, err := w.ListKeys(w.ctx, &api.ListKeysInput{}); err != nil || len(list.Keys) != 0 {
		t.Errorf("refused calls made keys: %+v, %v", list, err)
	}
}

func TestEncryption(t *testing.T) {
	w := newWorld(t)
	id := *w.key().KeyId
	other := *w.key().KeyId
	w.must(w.alias("alias/app", id))
	pair := map[string]string{"a": "1", "b": "2"}
	blob := w.encrypt("alias/app", "hello", pair)
	if bytes.Contains(blob, []byte("hello")) {
		t.Error("the ciphertext shows the plaintext")
	}
	d, err := w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: blob, EncryptionContext: pair})
	w.must(err)
	if string(d.Plaintext) != "hello" || *d.KeyId != key.ARN(account, "us-east-1", id) || len(*d.KeyMaterialId) != 64 {
		t.Errorf("decrypted %+v", d)
	}
	for name, context := range map[string]map[string]string{
		"none": nil, "less": {"a": "1"}, "other": {"a": "1", "b": "3"}, "shifted": {"a": "12", "b": ""}, "more": {"a": "1", "b": "2", "c": ""},
	} {
		_, err := w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: blob, EncryptionContext: context})
		if err == nil || err.Error() != "InvalidCiphertextException: " {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 1
		if out, err := w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: bad, EncryptionContext: pair}); err == nil {
			t.Fatalf("byte %d changed: %+v", i, out)
		}
	}
	_, err = w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: blob, EncryptionContext: pair, KeyId: &other})
	w.fails(err, "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.")
	elsewhere := auth.CallerFrom(w.ctx)
	elsewhere.Region = "eu-west-1"
	_, err = w.Decrypt(auth.WithCaller(w.ctx, elsewhere), &api.DecryptInput{CiphertextBlob: blob, EncryptionContext: pair})
	w.fails(err, "AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")

	re, err := w.ReEncrypt(w.ctx, &api.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: pair, DestinationKeyId: &other})
	w.must(err)
	d, err = w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: re.CiphertextBlob, KeyId: &other})
	w.must(err)
	if string(d.Plaintext) != "hello" || *re.SourceKeyId != key.ARN(account, "us-east-1", id) {
		t.Errorf("encrypted anew %+v, %q", re, d.Plaintext)
	}

	g, err := w.GenerateDataKey(w.ctx, &api.GenerateDataKeyInput{KeyId: &id, KeySpec: new("AES_128")})
	w.must(err)
	d, err = w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: g.CiphertextBlob})
	w.must(err)
	if len(g.Plaintext) != 16 || !bytes.Equal(g.Plaintext, d.Plaintext) {
		t.Errorf("data key %x, decrypted %x", g.Plaintext, d.Plaintext)
	}
	_, err = w.GenerateDataKey(w.ctx, &api.GenerateDataKeyInput{KeyId: &id})
	w.fails(err, "ValidationException: Please specify either number of bytes or key spec.")
	_, err = w.GenerateDataKeyWithoutPlaintext(w.ctx, &api.GenerateDataKeyWithoutPlaintextInput{KeyId: &id, NumberOfBytes: new(int32(9)), DryRun: new(true)})
	w.fails(err, "DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	r, err := w.GenerateRandom(w.ctx, &api.GenerateRandomInput{NumberOfBytes: new(int32(40))})
	if err != nil || len(r.Plaintext) != 40 {
		t.Errorf("random %+v, %v", r, err)
	}
}

// TestMaterialIsSealed looks for plaintext key material in the store.
func TestMaterialIsSealed(t *testing.T) {
	w := newWorld(t)
	id := *w.key().KeyId
	var k key.Key
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) (err error) {
		k, err = keys.Keys.Get(tx, account, "us-east-1", id)
		return err
	}))
	m, err := w.open(&k, k.Current())
	w.must(err)
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) error {
		for name, v := range tx.List("", "", 0) {
			if bytes.Contains(v.Bytes(), m[:8]) {
				t.Errorf("%q holds key material", name)
			}
		}
		return nil
	}))
	w.must(w.Check(w.ctx))
	stranger := New(w.deps, [32]byte{4})
	if err := stranger.Check(w.ctx); err != ErrMaster {
		t.Errorf("another master key: %v", err)
	}
	if _, err := stranger.Encrypt(w.ctx, &api.EncryptInput{KeyId: &id, Plaintext: []byte("x")}); err == nil {
		t.Error("another master key opened the material")
	}
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	m := w.key()
	id := m.KeyId
	before := w.encrypt(*id, "old", nil)
	_, err := w.RotateKeyOnDemand(w.ctx, &api.RotateKeyOnDemandInput{KeyId: id})
	w.must(err)
	after := w.encrypt(*id, "new", nil)
	for text, blob := range map[string][]byte{"old": before, "new": after} {
		d, err := w.Decrypt(w.ctx, &api.DecryptInput{CiphertextBlob: blob})
		w.must(err)
		if string(d.Plaintext) != text || (*d.KeyMaterialId == *m.CurrentKeyMaterialId) != (text == "old") {
			t.Errorf("%s: %+v", text, d)
		}
	}
	list, err := w.ListKeyRotations(w.ctx, &api.ListKeyRotationsInput{KeyId: id})
	w.must(err)
	if len(list.Rotations) != 1 || *list.Rotations[0].RotationType != "ON_DEMAND" {
		t.Errorf("rotations %+v", list.Rotations)
	}
	list, err = w.ListKeyRotations(w.ctx, &api.ListKeyRotationsInput{KeyId: id, IncludeKeyMaterial: new("ALL_KEY_MATERIAL")})
	w.must(err)
	if len(list.Rotations) != 2 || *list.Rotations[0].KeyMaterialState != "CURRENT" || *list.Rotations[1].KeyMaterialId != *m.CurrentKeyMaterialId {
		t.Errorf("rotations %+v", list.Rotations)
	}
	for range maxOnDemand - 1 {
		_, err := w.RotateKeyOnDemand(w.ctx, &api.RotateKeyOnDemandInput{KeyId: id})
		w.must(err)
	}
	if _, err := w.RotateKeyOnDemand(w.ctx, &api.RotateKeyOnDemandInput{KeyId: id}); err == nil || !strings.HasPrefix(err.Error(), "LimitExceededException") {
		t.Errorf("one more rotation: %v", err)
	}

	status := func() *api.GetKeyRotationStatusOutput {
		out, err := w.GetKeyRotationStatus(w.ctx, &api.GetKeyRotationStatusInput{KeyId: id})
		w.must(err)
		return out
	}
	if s := status(); *s.KeyRotationEnabled || s.NextRotationDate != nil || *s.KeyId != *m.Arn {
		t.Errorf("status %+v", s)
	}
	enable := func(days *int32) {
		_, err := w.EnableKeyRotation(w.ctx, &api.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: days})
		w.must(err)
	}
	enable(new(int32(2560)))
	_, err = w.DisableKeyRotation(w.ctx, &api.DisableKeyRotationInput{KeyId: id})
	w.must(err)
	enable(nil)
	if s := status(); !*s.KeyRotationEnabled || *s.RotationPeriodInDays != 2560 || !s.NextRotationDate.Equal(start.Truncate(time.Millisecond).AddDate(0, 0, 2560)) {
		t.Errorf("status %+v", s)
	}
	w.must(w.alias("alias/x", *id))
	_, err = w.GetKeyRotationStatus(w.ctx, &api.GetKeyRotationStatusInput{KeyId: new("alias/x")})
	w.fails(err, "InvalidArnException: Key Aliases are not supported for this operation.")
}

func TestAliases(t *testing.T) {
	w := newWorld(t)
	a, b := *w.key().KeyId, *w.key().KeyId
	for i := range 3 {
		w.must(w.alias(fmt.Sprintf("alias/n/%d", i), a))
	}
	w.fails(w.alias("alias/n/1", b), "AlreadyExistsException: An alias with the name arn:aws:kms:us-east-1:123456789012:alias/n/1 already exists")
	w.fails(w.alias("alias/aws/mine", b), "NotAuthorizedException: ")
	w.fails(w.alias("alias/a:b", b), "InvalidAliasNameException: Alias alias/a:b contains invalid characters for an alias")
	if err := w.alias("name", b); err == nil || !strings.HasPrefix(err.Error(), "ValidationException: Alias must start with") {
		t.Errorf("%v", err)
	}
	_, err := w.UpdateAlias(w.ctx, &api.UpdateAliasInput{AliasName: new("alias/n/1"), TargetKeyId: &b})
	w.must(err)
	d, err := w.DescribeKey(w.ctx, &api.DescribeKeyInput{KeyId: new("arn:aws:kms:us-east-1:123456789012:alias/n/1")})
	w.must(err)
	if *d.KeyMetadata.KeyId != b {
		t.Errorf("described %+v", d.KeyMetadata)
	}
	var names []string
	in := &api.ListAliasesInput{KeyId: &a, Limit: new(int32(1))}
	for {
		out, err := w.ListAliases(w.ctx, in)
		w.must(err)
		for _, e := range out.Aliases {
			names = append(names, *e.AliasName)
		}
		if !*out.Truncated {
			break
		}
		in.Marker = out.NextMarker
	}
	if strings.Join(names, " ") != "alias/n/0 alias/n/2" {
		t.Errorf("aliases %v", names)
	}
	_, err = w.DeleteAlias(w.ctx, &api.DeleteAliasInput{AliasName: new("alias/n/1")})
	w.must(err)
	_, err = w.DescribeKey(w.ctx, &api.DescribeKeyInput{KeyId: new("alias/n/1")})
	w.fails(err, "NotFoundException: Alias arn:aws:kms:us-east-1:123456789012:alias/n/1 is not found.")
	for text, want := range map[string]string{
		"nonsense": "NotFoundException: Invalid keyId 'nonsense'",
		"arn:aws:kms:us-east-1:123456789012:key/1":            "InvalidArnException: Invalid arn arn:aws:kms:us-east-1:123456789012:key/1",
		"arn:aws:kms:eu-west-1:123456789012:key/" + a:         "NotFoundException: Invalid arn eu-west-1",
		"11111111-2222-3333-4444-555555555555":                "NotFoundException: Key 'arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555' does not exist",
		"arn:aws:iam::123456789012:role/x":                    "InvalidArnException: Invalid arn arn:aws:iam::123456789012:role/x",
		"arn:aws:kms:us-east-1:123456789012:alias/no-such-it": "NotFoundException: Alias arn:aws:kms:us-east-1:123456789012:alias/no-such-it is not found.",
	} {
		_, err := w.DescribeKey(w.ctx, &api.DescribeKeyInput{KeyId: &text})
		w.fails(err, want)
	}
}

func TestManagedKeys(t *testing.T) {
	w := newWorld(t)
	first, err := w.DescribeKey(w.ctx, &api.DescribeKeyInput{KeyId: new("alias/aws/ssm")})
	w.must(err)
	again, err := w.DescribeKey(w.ctx, &api.DescribeKeyInput{KeyId: new("alias/aws/ssm")})
	w.must(err)
	if *first.KeyMetadata.KeyId != *again.KeyMetadata.KeyId || *first.KeyMetadata.KeyManager != "AWS" {
		t.Errorf("%+v, then %+v", first.KeyMetadata, again.KeyMetadata)
	}
	id := first.KeyMetadata.KeyId
	_, err = w.ScheduleKeyDeletion(w.ctx, &api.ScheduleKeyDeletionInput{KeyId: id})
	w.fails(err, "AccessDeniedException: User: "+rootARN+" is not authorized to perform: kms:ScheduleKeyDeletion on resource: "+*first.KeyMetadata.Arn+" because no resource-based policy allows the kms:ScheduleKeyDeletion action")
	// It serves the service it is for, and nobody directly.
	ann := w.user("ann", "")
	blob, _, err := w.Seal(ann, "ssm", "kms:Encrypt", "alias/aws/ssm", []byte("v"), map[string]string{"PARAMETER_ARN": "x"})
	w.must(err)
	if v, err := w.Open(ann, "ssm", blob, map[string]string{"PARAMETER_ARN": "x"}); err != nil || string(v) != "v" {
		t.Errorf("opened %q, %v", v, err)
	}
	if _, err := w.Open(ann, "secretsmanager", blob, map[string]string{"PARAMETER_ARN": "x"}); err == nil {
		t.Error("another service opened it")
	}
	if err := w.may(w.ctx, "Decrypt", &api.DecryptInput{CiphertextBlob: blob}); err == nil {
		t.Error("the root user may use the key directly")
	}
	if err := w.may(w.ctx, "DescribeKey", &api.DescribeKeyInput{KeyId: new("alias/aws/ssm")}); err != nil {
		t.Error(err)
	}
}

func TestKeyPolicy(t *testing.T) {
	w := newWorld(t)
	m := w.key()
	p, err := w.GetKeyPolicy(w.ctx, &api.GetKeyPolicyInput{KeyId: m.KeyId})
	w.must(err)
	if *p.PolicyName != "default" || *p.Policy != key.DefaultPolicy(account, "us-east-1") {
		t.Errorf("policy %+v", p)
	}
	_, err = w.GetKeyPolicy(w.ctx, &api.GetKeyPolicyInput{KeyId: m.KeyId, PolicyName: new("other")})
	w.fails(err, "NotFoundException: No such policy exists")
	const allow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`
	ann := w.user("ann", allow)
	bob := w.user("bob", "")
	encrypt := &api.EncryptInput{KeyId: m.KeyId, Plaintext: []byte("x")}
	put := func(ctx context.Context, text string, bypass bool) error {
		_, err := w.PutKeyPolicy(ctx, &api.PutKeyPolicyInput{KeyId: m.KeyId, Policy: &text, BypassPolicyLockoutSafetyCheck: &bypass})
		return err
	}
	// The default policy leaves it to the policies of the account's principals.
	if err := w.may(ann, "Encrypt", encrypt); err != nil {
		t.Error(err)
	}
	w.fails(w.may(bob, "Encrypt", encrypt), "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:Encrypt on resource: "+*m.Arn+" because no identity-based policy allows the kms:Encrypt action")
	// One that names bob is enough for him, and takes it from ann and the root user.
	only := func(principal, extra string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["kms:Encrypt"` + extra + `],"Resource":"*"}]}`
	}
	w.fails(put(w.ctx, only("arn:aws:iam::123456789012:user/bob", ""), false), "MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.")
	w.fails(put(w.ctx, only("arn:aws:iam::123456789012:user/nobody", ""), true), "MalformedPolicyDocumentException: Policy contains a statement with one or more invalid principals.")
	w.must(put(w.ctx, only("arn:aws:iam::123456789012:user/bob", ""), true))
	if err := w.may(bob, "Encrypt", encrypt); err != nil {
		t.Error(err)
	}
	const reason = " because no resource-based policy allows the kms:Encrypt action"
	for _, ctx := range []context.Context{ann, w.ctx} {
		if err := w.may(ctx, "Encrypt", encrypt); err == nil || !strings.HasSuffix(err.Error(), reason) {
			t.Errorf("%s: %v", auth.CallerFrom(ctx).ARN, err)
		}
	}
}

func TestGrants(t *testing.T) {
	w := newWorld(t)
	m := w.key()
	bob := w.user("bob", "")
	const bobARN = "arn:aws:iam::123456789012:user/bob"
	grant := func(in api.CreateGrantInput) (*api.CreateGrantOutput, error) {
		in.KeyId, in.GranteePrincipal = m.KeyId, new(bobARN)
		return w.CreateGrant(w.ctx, &in)
	}
	out, err := grant(api.CreateGrantInput{Operations: []string{"Encrypt", "Decrypt"}, Name: new("n"), Constraints: &api.GrantConstraints{
		EncryptionContextSubset: map[string]string{"app": "${aws:username}"}}})
	w.must(err)
	again, err := grant(api.CreateGrantInput{Operations: []string{"Decrypt", "Encrypt"}, Name: new("n"), Constraints: &api.GrantConstraints{
		EncryptionContextSubset: map[string]string{"app": "${aws:username}"}, EncryptionContextEquals: map[string]string{}}})
	w.must(err)
	if *out.GrantId != *again.GrantId || *out.GrantToken != *again.GrantToken {
		t.Errorf("%+v, then %+v", out, again)
	}
	encrypt := func(context map[string]string) error {
		return w.may(bob, "Encrypt", &api.EncryptInput{KeyId: m.KeyId, EncryptionContext: context})
	}
	if err := encrypt(map[string]string{"app": "${aws:username}", "more": "x"}); err != nil {
		t.Errorf("the grant does not allow: %v", err)
	}
	for _, context := range []map[string]string{nil, {"app": "bob"}, {"more": "x"}} {
		if encrypt(context) == nil {
			t.Errorf("the grant allows %v", context)
		}
	}
	if w.may(bob, "GenerateDataKey", &api.GenerateDataKeyInput{KeyId: m.KeyId, EncryptionContext: map[string]string{"app": "${aws:username}"}}) == nil {
		t.Error("the grant allows another operation")
	}
	// A grant to make grants allows no more than it allows itself.
	_, err = grant(api.CreateGrantInput{Operations: []string{"CreateGrant", "Decrypt"}, RetiringPrincipal: new(bobARN)})
	w.must(err)
	child := func(operations ...string) error {
		return w.may(bob, "CreateGrant", &api.CreateGrantInput{KeyId: m.KeyId, Operations: operations})
	}
	if err := child("Decrypt"); err != nil {
		t.Error(err)
	}
	if child("Decrypt", "Encrypt") == nil || child() == nil {
		t.Error("a child grant may allow more")
	}
	// Its retiring principal may retire it, by token, and no other.
	list, err := w.ListRetirableGrants(bob, &api.ListRetirableGrantsInput{RetiringPrincipal: new(bobARN)})
	w.must(err)
	if len(list.Grants) != 1 {
		t.Fatalf("retirable %+v", list.Grants)
	}
	retire := &api.RetireGrantInput{KeyId: m.KeyId, GrantId: list.Grants[0].GrantId}
	w.must(w.may(bob, "RetireGrant", retire))
	if w.may(bob, "RetireGrant", &api.RetireGrantInput{GrantToken: out.GrantToken}) == nil {
		t.Error("bob may retire a grant he was not made the retiring principal of")
	}
	_, err = w.RetireGrant(bob, retire)
	w.must(err)
	if child("Decrypt") == nil {
		t.Error("a retired grant allows")
	}
	_, err = w.RetireGrant(bob, &api.RetireGrantInput{GrantToken: new(*out.GrantToken + "x")})
	w.fails(err, "InvalidGrantTokenException: Invalid grant token")
	_, err = w.Encrypt(w.ctx, &api.EncryptInput{KeyId: m.KeyId, Plaintext: []byte("x"), GrantTokens: []string{"forged"}})
	w.fails(err, "InvalidGrantTokenException: Invalid grant token")

	for want, in := range map[string]api.CreateGrantInput{
		"ValidationException: Grant operation Sign": {Operations: []string{"Sign"}},
		"InvalidArnException: ARN does not refer":   {Operations: []string{"Decrypt"}, RetiringPrincipal: new("arn:aws:iam::123456789012:user/nobody")},
	} {
		if _, err := grant(in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for range 4 {
		_, err := grant(api.CreateGrantInput{Operations: []string{"DescribeKey"}})
		w.must(err)
	}
	n, in := 0, &api.ListGrantsInput{KeyId: m.KeyId, Limit: new(int32(2))}
	for {
		page, err := w.ListGrants(w.ctx, in)
		w.must(err)
		n += len(page.Grants)
		if !*page.Truncated {
			break
		}
		in.Marker = page.NextMarker
	}
	if n != 5 {
		t.Errorf("%d grants", n)
	}
	_, err = w.RevokeGrant(w.ctx, &api.RevokeGrantInput{KeyId: m.KeyId, GrantId: out.GrantId})
	w.must(err)
	if encrypt(map[string]string{"app": "${aws:username}"}) == nil {
		t.Error("a revoked grant allows")
	}
}

package secretsmanager

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	awskms "neargate/aws/kms"
	api "neargate/aws/secretsmanager"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/service/kms"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const (
	account = "123456789012"
	rootARN = "arn:aws:iam::123456789012:root"
	marked  = "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
)

type world struct {
	*Service
	kms *kms.Service
	ctx context.Context
	t   *testing.T
	ids *arn.Source
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ids: arn.NewSource(rand.New(rand.NewSource(1))), now: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)}
	d := service.Deps{Store: mem.New(mem.Paranoid()), Now: func() time.Time { return w.now }, IDs: w.ids, TokenKey: [32]byte{7}}
	w.kms = kms.New(d, [32]byte{1})
	w.Service = New(d, w.kms)
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

// id makes the id of a version out of a short one.
func id(short string) *string { return new(short + strings.Repeat("-", 36-len(short))) }

func (w *world) create(name, value string) *api.CreateSecretOutput {
	w.t.Helper()
	out, err := w.CreateSecret(w.ctx, &api.CreateSecretInput{Name: &name, SecretString: &value, ClientRequestToken: id("v1")})
	w.must(err)
	return out
}

func (w *world) put(name, version, value string, stages ...string) error {
	_, err := w.PutSecretValue(w.ctx, &api.PutSecretValueInput{SecretId: &name, SecretString: &value, ClientRequestToken: id(version), VersionStages: stages})
	return err
}

// value is the value under a staging label, or the error.
func (w *world) value(name, stage string) string {
	in := &api.GetSecretValueInput{SecretId: &name}
	if stage != "" {
		in.VersionStage = &stage
	}
	out, err := w.GetSecretValue(w.ctx, in)
	if err != nil {
		return err.Error()
	}
	return *out.SecretString
}

func TestCreateAndFind(t *testing.T) {
	w := newWorld(t)
	out := w.create("app/db", "one")
	suffix := strings.TrimPrefix(*out.ARN, "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-")
	if len(suffix) != 6 || *out.Name != "app/db" || *out.VersionId != *id("v1") {
		t.Errorf("created %+v", out)
	}
	again := w.create("app/db", "one")
	if *again.ARN != *out.ARN || *again.VersionId != *out.VersionId {
		t.Errorf("again %+v", again)
	}
	_, err := w.CreateSecret(w.ctx, &api.CreateSecretInput{Name: new("app/db"), SecretString: new("two"), ClientRequestToken: id("v1")})
	w.fails(err, "ResourceExistsException: The operation failed because the secret app/db already exists.")
	for _, name := range []string{"app/db", *out.ARN, "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db"} {
		if v := w.value(name, ""); v != "one" {
			t.Errorf("%s: %s", name, v)
		}
	}
	const none = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
	for _, name := range []string{"app", "app/db-" + suffix, "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-AAAAAA", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db", "arn:nonsense"} {
		if v := w.value(name, ""); v != none {
			t.Errorf("%s: %s", name, v)
		}
	}
	empty, err := w.CreateSecret(w.ctx, &api.CreateSecretInput{Name: new("empty")})
	w.must(err)
	if empty.VersionId != nil {
		t.Errorf("empty %+v", empty)
	}
	if v := w.value("empty", ""); v != "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT" {
		t.Error(v)
	}
	d, err := w.DescribeSecret(w.ctx, &api.DescribeSecretInput{SecretId: new("empty")})
	w.must(err)
	if d.VersionIdsToStages != nil || d.RotationEnabled != nil || d.Tags != nil || d.KmsKeyId != nil {
		t.Errorf("described %+v", d)
	}
	for want, in := range map[string]*api.CreateSecretInput{
		"ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!":                                                     {Name: new("a b")},
		"InvalidParameterException: You can't specify both a binary secret value and a string secret value in the same secret.":                                                             {Name: new("x"), SecretString: new("a"), SecretBinary: []byte("b")},
		"InvalidRequestException: You must provide a ClientRequestToken value. We recommend a UUID-type value.":                                                                             {Name: new("x"), SecretString: new("a")},
		"InvalidParameterException: Replication of secrets is not supported in this region.":                                                                                                {Name: new("x"), AddReplicaRegions: []api.ReplicaRegionType{{Region: new("eu-west-1")}}},
		"EncryptionFailure: Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state.": {Name: new("x"), SecretString: new("a"), ClientRequestToken: id("v1"), KmsKeyId: new("alias/none")},
	} {
		_, err := w.CreateSecret(w.ctx, in)
		w.fails(err, want)
	}
	if v := w.value("x", ""); v != none {
		t.Errorf("a refused call made a secret: %s", v)
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	arn := *w.create("s", "one").ARN
	w.must(w.put("s", "v2", "two"))
	w.must(w.put("s", "v3", "three", "AWSPENDING", "mine"))
	for stage, want := range map[string]string{
		"": "two", "AWSPREVIOUS": "one", "AWSPENDING": "three", "mine": "three",
		"other": "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: other",
	} {
		if v := w.value("s", stage); v != want {
			t.Errorf("%s: %s", stage, v)
		}
	}
	// A token is for one value.
	w.must(w.put("s", "v1", "one"))
	if v := w.value("s", ""); v != "two" {
		t.Errorf("a repeated request moved AWSCURRENT: %s", v)
	}
	w.fails(w.put("s", "v1", "other"), "ResourceExistsException: You can't use ClientRequestToken "+*id("v1")+" because that value is already in use for a version of secret "+arn+".")
	w.must(w.put("s", "v1", "one", "more"))
	if v := w.value("s", "more"); v != "one" {
		t.Errorf("a repeated request adds no label: %s", v)
	}
	get := func(version, stage string) error {
		in := &api.GetSecretValueInput{SecretId: new("s"), VersionId: id(version)}
		if stage != "" {
			in.VersionStage = &stage
		}
		_, err := w.GetSecretValue(w.ctx, in)
		return err
	}
	w.must(get("v1", "AWSPREVIOUS"))
	w.fails(get("v1", "AWSCURRENT"), "InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId.")
	w.fails(get("v9", ""), "ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: "+*id("v9"))

	move := func(stage, from, to string) error {
		in := &api.UpdateSecretVersionStageInput{SecretId: new("s"), VersionStage: &stage}
		if from != "" {
			in.RemoveFromVersionId = id(from)
		}
		if to != "" {
			in.MoveToVersionId = id(to)
		}
		_, err := w.UpdateSecretVersionStage(w.ctx, in)
		return err
	}
	w.fails(move("AWSCURRENT", "", "v3"), "InvalidParameterException: The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "+*id("v2")+", so you must explicitly reference that version in RemoveFromVersionId.")
	w.fails(move("AWSCURRENT", "v2", ""), "InvalidParameterException: You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	w.must(move("AWSCURRENT", "v2", "v3"))
	w.must(move("AWSPENDING", "v3", ""))
	d, err := w.DescribeSecret(w.ctx, &api.DescribeSecretInput{SecretId: new("s")})
	w.must(err)
	if got := fmt.Sprint(d.VersionIdsToStages); got != fmt.Sprint(map[string][]string{*id("v1"): {"more"}, *id("v2"): {"AWSPREVIOUS"}, *id("v3"): {"AWSCURRENT", "mine"}}) {
		t.Errorf("stages %s", got)
	}
	if !d.LastAccessedDate.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("accessed %v", d.LastAccessedDate)
	}

	// Lists page, with versions that have no label on request.
	w.must(move("more", "v1", ""))
	var ids []string
	in := &api.ListSecretVersionIdsInput{SecretId: new("s"), MaxResults: new(int32(1)), IncludeDeprecated: new(true)}
	for {
		page, err := w.ListSecretVersionIds(w.ctx, in)
		w.must(err)
		for _, v := range page.Versions {
			ids = append(ids, (*v.VersionId)[:2])
			if v.KmsKeyIds[0] != "DefaultEncryptionKey" {
				t.Errorf("version %+v", v)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			break
		}
	}
	if fmt.Sprint(ids) != "[v1 v2 v3]" {
		t.Errorf("versions %v", ids)
	}
	list, err := w.ListSecretVersionIds(w.ctx, &api.ListSecretVersionIdsInput{SecretId: new("s")})
	w.must(err)
	if len(list.Versions) != 2 {
		t.Errorf("labelled versions %+v", list.Versions)
	}
	_, err = w.ListSecretVersionIds(w.ctx, &api.ListSecretVersionIdsInput{SecretId: new("s"), NextToken: new("forged")})
	w.fails(err, "InvalidNextTokenException: The NextToken value is invalid.")

	// Old versions without labels go when there are more than a hundred.
	w.now = w.now.AddDate(0, 0, 2)
	for i := range 110 {
		w.must(w.put("s", fmt.Sprintf("w%d", i), "x"))
	}
	all, err := w.ListSecretVersionIds(w.ctx, &api.ListSecretVersionIdsInput{SecretId: new("s"), IncludeDeprecated: new(true)})
	w.must(err)
	if v := w.value("s", "mine"); v != "three" || len(all.Versions) != 100 || all.NextToken == nil || *all.Versions[0].VersionId != *id("v3") {
		t.Errorf("%s, %d versions", v, len(all.Versions))
	}
}

func TestUpdate(t *testing.T) {
	w := newWorld(t)
	w.create("s", "one")
	key, err := w.kms.CreateKey(w.ctx, &awskms.CreateKeyInput{})
	w.must(err)
	out, err := w.UpdateSecret(w.ctx, &api.UpdateSecretInput{SecretId: new("s"), Description: new("d"), KmsKeyId: key.KeyMetadata.KeyId})
	w.must(err)
	if out.VersionId != nil {
		t.Errorf("updated %+v", out)
	}
	// Its value is under the new key now.
	_, err = w.kms.DisableKey(w.ctx, &awskms.DisableKeyInput{KeyId: key.KeyMetadata.KeyId})
	w.must(err)
	if v := w.value("s", ""); v != "DecryptionFailure: Secrets Manager can't decrypt the protected secret text using the provided KMS key." {
		t.Error(v)
	}
	_, err = w.kms.EnableKey(w.ctx, &awskms.EnableKeyInput{KeyId: key.KeyMetadata.KeyId})
	w.must(err)
	out, err = w.UpdateSecret(w.ctx, &api.UpdateSecretInput{SecretId: new("s"), SecretBinary: []byte{0, 1}, ClientRequestToken: id("v2")})
	w.must(err)
	got, err := w.GetSecretValue(w.ctx, &api.GetSecretValueInput{SecretId: new("s")})
	w.must(err)
	if *out.VersionId != *id("v2") || string(got.SecretBinary) != "\x00\x01" || got.SecretString != nil {
		t.Errorf("%+v", got)
	}
	d, err := w.DescribeSecret(w.ctx, &api.DescribeSecretInput{SecretId: new("s")})
	w.must(err)
	if *d.Description != "d" || *d.KmsKeyId != *key.KeyMetadata.KeyId {
		t.Errorf("described %+v", d)
	}
}

func TestDeletion(t *testing.T) {
	w := newWorld(t)
	w.create("s", "one")
	del := func(name string, days *int64, force *bool) (*api.DeleteSecretOutput, error) {
		return w.DeleteSecret(w.ctx, &api.DeleteSecretInput{SecretId: &name, RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force})
	}
	_, err := del("s", new(int64(7)), new(true))
	w.fails(err, "InvalidParameterException: You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	_, err = del("s", new(int64(6)), nil)
	w.fails(err, "InvalidParameterException: RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	out, err := del("s", new(int64(7)), nil)
	w.must(err)
	if !out.DeletionDate.Equal(w.now.AddDate(0, 0, 7)) {
		t.Errorf("deleted %+v", out)
	}
	if v := w.value("s", ""); v != marked {
		t.Error(v)
	}
	w.fails(w.put("s", "v2", "two"), marked)
	_, err = w.CreateSecret(w.ctx, &api.CreateSecretInput{Name: new("s")})
	w.fails(err, "InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion.")
	d, err := w.DescribeSecret(w.ctx, &api.DescribeSecretInput{SecretId: new("s")})
	w.must(err)
	if !d.DeletedDate.Equal(w.now) {
		t.Errorf("described %+v", d)
	}
	for planned, n := range map[bool]int{false: 0, true: 1} {
		list, err := w.ListSecrets(w.ctx, &api.ListSecretsInput{IncludePlannedDeletion: &planned})
		w.must(err)
		if len(list.SecretList) != n {
			t.Errorf("planned %v: %+v", planned, list.SecretList)
		}
	}
	_, err = w.RestoreSecret(w.ctx, &api.RestoreSecretInput{SecretId: new("s")})
	w.must(err)
	if v := w.value("s", ""); v != "one" {
		t.Error(v)
	}
	out, err = del("s", nil, new(true))
	w.must(err)
	if !out.DeletionDate.Equal(w.now) {
		t.Errorf("deleted at once %+v", out)
	}
	_, err = w.RestoreSecret(w.ctx, &api.RestoreSecretInput{SecretId: new("s")})
	w.fails(err, "ResourceNotFoundException: Secrets Manager can't find the specified secret.")
	_, err = del("never-there", nil, new(true))
	w.must(err)
	_, err = del("never-there", nil, nil)
	w.fails(err, "ResourceNotFoundException: Secrets Manager can't find the specified secret.")
}

func TestList(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"prod/db", "prod/web", "test/db", "Zebra"} {
		w.now = w.now.Add(time.Duration(4-i) * time.Minute)
		_, err := w.CreateSecret(w.ctx, &api.CreateSecretInput{Name: &name, Description: new("the " + name + " one"), Tags: []api.Tag{{Key: new("n"), Value: &name}}})
		w.must(err)
	}
	list := func(in api.ListSecretsInput) string {
		t.Helper()
		var names []string
		for {
			out, err := w.ListSecrets(w.ctx, &in)
			w.must(err)
			for _, s := range out.SecretList {
				names = append(names, *s.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return strings.Join(names, " ")
			}
		}
	}
	filter := func(key string, values ...string) []api.Filter { return []api.Filter{{Key: &key, Values: values}} }
	for want, in := range map[string]api.ListSecretsInput{
		"Zebra test/db prod/web prod/db": {MaxResults: new(int32(3))},
		"prod/db prod/web test/db Zebra": {SortOrder: new("asc"), MaxResults: new(int32(1))},
		"Zebra prod/db prod/web test/db": {SortBy: new("name"), SortOrder: new("asc"), MaxResults: new(int32(2))},
		"prod/web prod/db":               {Filters: filter("name", "prod")},
		"Zebra test/db":                  {Filters: filter("name", "!prod")},
		"test/db prod/db":                {Filters: filter("all", "DB")},
		"Zebra":                          {Filters: filter("description", "zeb")},
		"test/db prod/web":               {Filters: filter("tag-value", "prod/w", "test")},
		"":                               {Filters: filter("owning-service", "x")},
	} {
		if got := list(in); got != want {
			t.Errorf("%+v: %s, want %s", in, got, want)
		}
	}
	_, err := w.TagResource(w.ctx, &api.TagResourceInput{SecretId: new("Zebra"), Tags: []api.Tag{{Key: new("aws:x"), Value: new("")}}})
	w.fails(err, "InvalidParameterException: Tag keys can't begin with aws:.")
	_, err = w.UntagResource(w.ctx, &api.UntagResourceInput{SecretId: new("Zebra"), TagKeys: []string{"n", "m"}})
	w.must(err)
	d, err := w.DescribeSecret(w.ctx, &api.DescribeSecretInput{SecretId: new("Zebra")})
	w.must(err)
	if d.Tags == nil || len(d.Tags) != 0 {
		t.Errorf("tags %#v", d.Tags)
	}
}

func TestPolicyAndBatch(t *testing.T) {
	w := newWorld(t)
	arn := *w.create("open", "value").ARN
	w.create("closed", "value")
	k := identity.NewAccessKey(account, "ann", w.now, w.ids)
	u := identity.User{Account: account, Path: "/", Name: "ann", ID: w.ids.IAM("AIDA")}
	w.must(w.deps.Store.Update(w.ctx, func(tx store.Tx) error {
		if err := tables.AccessKeys.Put(tx, &k); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	}))
	ann := auth.WithCaller(w.ctx, auth.Caller{Account: account, Region: "us-east-1", ARN: u.ARN(), UserID: u.ID, AccessKeyID: k.ID})
	policy := func(effect, principal, condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"secretsmanager:GetSecretValue","Resource":"*"` + condition + `}]}`
	}
	put := func(text string, block bool) error {
		_, err := w.PutResourcePolicy(w.ctx, &api.PutResourcePolicyInput{SecretId: new("open"), ResourcePolicy: &text, BlockPublicPolicy: &block})
		return err
	}
	const annARN = `{"AWS":"arn:aws:iam::123456789012:user/ann"}`
	w.fails(put("{}", false), "MalformedPolicyDocumentException: This resource policy contains invalid Json")
	w.fails(put(policy("Allow", `{"AWS":"arn:aws:iam::123456789012:user/bob"}`, ""), false), "MalformedPolicyDocumentException: This resource policy contains an unsupported principal.")
	w.fails(put(policy("Allow", `"*"`, ""), true), "PublicPolicyException: You can not attach a resource policy that grants Public access to your secret.")
	w.must(put(policy("Allow", `"*"`, `,"Condition":{"StringEquals":{"aws:PrincipalAccount":"123456789012"}}`), true))
	v, err := w.ValidateResourcePolicy(w.ctx, &api.ValidateResourcePolicyInput{ResourcePolicy: new(policy("Allow", `"*"`, ""))})
	w.must(err)
	if *v.PolicyValidationPassed || len(v.ValidationErrors) != 1 {
		t.Errorf("validated %+v", v)
	}
	w.must(put(policy("Allow", annARN, ""), true))
	authorize := func(id string) error {
		d := auth.NewDirectory(w.deps.Store, func() time.Time { return w.now })
		return d.Authorize(ann, auth.CallerFrom(ann), auth.Call{Service: "secretsmanager", Operation: "GetSecretValue", Input: &api.GetSecretValueInput{SecretId: &id}})
	}
	w.must(authorize("open"))
	if err := authorize("closed"); err == nil || !strings.Contains(err.Error(), "secret:closed-") || !strings.HasSuffix(err.Error(), "because no identity-based policy allows the secretsmanager:GetSecretValue action") {
		t.Errorf("%v", err)
	}
	if err := authorize("none"); err == nil || !strings.Contains(err.Error(), "secret:none-?????? because") {
		t.Errorf("%v", err)
	}
	b, err := w.BatchGetSecretValue(ann, &api.BatchGetSecretValueInput{SecretIdList: []string{"open", "closed", arn}})
	w.must(err)
	if len(b.SecretValues) != 2 || len(b.Errors) != 1 || *b.Errors[0].SecretId != "closed" || *b.Errors[0].ErrorCode != "AccessDeniedException" {
		t.Errorf("batch %+v", b)
	}
	b, err = w.BatchGetSecretValue(w.ctx, &api.BatchGetSecretValueInput{Filters: []api.Filter{{Key: new("name"), Values: []string{"c", "o"}}}, MaxResults: new(int32(1))})
	w.must(err)
	if len(b.SecretValues) != 1 || b.NextToken == nil {
		t.Errorf("batch %+v", b)
	}
	w.must(put(policy("Deny", annARN, ""), true))
	if err := authorize("open"); err == nil || !strings.HasSuffix(err.Error(), "with an explicit deny in a resource-based policy") {
		t.Errorf("%v", err)
	}
	_, err = w.DeleteResourcePolicy(w.ctx, &api.DeleteResourcePolicyInput{SecretId: new("open")})
	w.must(err)
	g, err := w.GetResourcePolicy(w.ctx, &api.GetResourcePolicyInput{SecretId: new("open")})
	w.must(err)
	if g.ResourcePolicy != nil || *g.ARN != arn {
		t.Errorf("policy %+v", g)
	}
	_, err = w.RotateSecret(w.ctx, &api.RotateSecretInput{SecretId: new("open")})
	w.fails(err, "InvalidRequestException: No Lambda rotation function ARN is associated with this secret.")
}

// TestValuesAreSealed looks for a value in the store.
func TestValuesAreSealed(t *testing.T) {
	w := newWorld(t)
	w.create("s", "hidden treasure")
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) error {
		for k, v := range tx.List("", "", 0) {
			if strings.Contains(string(v.Bytes()), "hidden") {
				t.Errorf("%q holds the value", k)
			}
		}
		return nil
	}))
	if v := w.value("s", ""); v != "hidden treasure" {
		t.Error(v)
	}
}

func TestPasswords(t *testing.T) {
	w := newWorld(t)
	for range 200 {
		out, err := w.GetRandomPassword(w.ctx, &api.GetRandomPasswordInput{PasswordLength: new(int64(5)), IncludeSpace: new(true), ExcludeCharacters: new("abc\"")})
		w.must(err)
		p := *out.RandomPassword
		if len(p) != 5 || strings.ContainsAny(p, "abc\"") {
			t.Fatalf("password %q", p)
		}
		for _, kind := range []string{lower, upper, digits, punctuation, " "} {
			if !strings.ContainsAny(p, kind) {
				t.Fatalf("password %q has none of %q", p, kind)
			}
		}
	}
	_, err := w.GetRandomPassword(w.ctx, &api.GetRandomPasswordInput{PasswordLength: new(int64(3))})
	w.fails(err, "InvalidParameterException: The password length is too short based on the required types.")
	if _, err := w.GetRandomPassword(w.ctx, &api.GetRandomPasswordInput{ExcludeNumbers: new(true), ExcludeLowercase: new(true), ExcludeUppercase: new(true), ExcludePunctuation: new(true)}); err == nil {
		t.Error("a password of nothing")
	}
}

package signer

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
	api "neargate/aws/signer"
	"neargate/resource/identity"
	"neargate/resource/image/notary"
	"neargate/resource/signing"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/signings"
)

const account, other, region = "123456789012", "210987654321", "us-east-1"

var start = time.Date(2026, 3, 31, 12, 0, 0, 5, time.UTC)

// world is AWS Signer, the context of a root user and a clock.
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
	w.ctx = w.as(account)
	return w
}

// as is the context of an account's root user.
func (w *world) as(account string) context.Context {
	return auth.WithCaller(w.t.Context(), auth.Caller{Account: account, Region: region, ARN: identity.RootARN(account), UserID: account})
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

func (w *world) profile(name string) *api.PutSigningProfileOutput {
	w.t.Helper()
	out, err := w.PutSigningProfile(w.ctx, &api.PutSigningProfileInput{ProfileName: &name, PlatformId: new(signing.Notation)})
	w.must(err)
	return out
}

const payload = `{"targetArtifact":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:aa","size":7}}`

func (w *world) sign(ctx context.Context, profile string) *api.SignPayloadOutput {
	w.t.Helper()
	out, err := w.SignPayload(ctx, &api.SignPayloadInput{ProfileName: &profile, Payload: []byte(payload), PayloadFormat: new(notary.PayloadType)})
	w.must(err)
	return out
}

// user makes a user with a policy and is its context.
func (w *world) user(account, name, document string) context.Context {
	w.t.Helper()
	k := identity.NewAccessKey(account, name, w.now, w.ids)
	u := identity.User{Account: account, Path: "/", Name: name, ID: w.ids.IAM("AIDA")}
	u.Grants.Inline = []identity.Inline{{Name: "p", Document: document}}
	w.must(w.deps.Store.Update(w.ctx, func(tx store.Tx) error {
		if err := tables.AccessKeys.Put(tx, &k); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	}))
	return auth.WithCaller(w.ctx, auth.Caller{Account: account, Region: region, ARN: u.ARN(), UserID: u.ID, AccessKeyID: k.ID})
}

// may asks the gate about a call.
func (w *world) may(ctx context.Context, operation string, in any) error {
	d := auth.NewDirectory(w.deps.Store, func() time.Time { return w.now })
	return d.Authorize(ctx, auth.CallerFrom(ctx), auth.Call{Service: "signer", Operation: operation, Input: in})
}

func TestProfiles(t *testing.T) {
	w := newWorld(t)
	out, err := w.PutSigningProfile(w.ctx, &api.PutSigningProfileInput{
		ProfileName: new("one"), PlatformId: new(signing.Notation), Tags: map[string]string{"k": "v"}, SigningParameters: map[string]string{"a": "b"},
		SignatureValidityPeriod: &api.SignatureValidityPeriod{Value: new(int32(11)), Type: new("YEARS")},
	})
	w.must(err)
	if *out.Arn != "arn:aws:signer:us-east-1:123456789012:/signing-profiles/one" || len(*out.ProfileVersion) != 10 || *out.ProfileVersionArn != *out.Arn+"/"+*out.ProfileVersion {
		t.Errorf("made %v %v %v", *out.Arn, *out.ProfileVersion, *out.ProfileVersionArn)
	}
	p, err := w.GetSigningProfile(w.ctx, &api.GetSigningProfileInput{ProfileName: new("one")})
	w.must(err)
	if *p.Status != "Active" || *p.PlatformDisplayName != "Notation for container registries" || *p.SignatureValidityPeriod.Value != 11 ||
		p.Tags["k"] != "v" || p.SigningParameters["a"] != "b" || p.RevocationRecord != nil || p.StatusReason != nil {
		t.Errorf("got %+v", p)
	}
	put := func(change func(*api.PutSigningProfileInput)) error {
		in := &api.PutSigningProfileInput{ProfileName: new("two"), PlatformId: new(signing.Notation)}
		change(in)
		_, err := w.PutSigningProfile(w.ctx, in)
		return err
	}
	period := func(value int32, unit string) func(*api.PutSigningProfileInput) {
		return func(in *api.PutSigningProfileInput) {
			in.SignatureValidityPeriod = &api.SignatureValidityPeriod{Value: &value, Type: &unit}
		}
	}
	for _, tt := range []struct {
		change func(*api.PutSigningProfileInput)
		want   string
	}{
		{func(in *api.PutSigningProfileInput) { in.ProfileName = new("one") }, "ValidationException: Profile with name one already exists"},
		{func(in *api.PutSigningProfileInput) { in.PlatformId = new("AWSLambda-SHA384-ECDSA") }, "ResourceNotFoundException: platform with id AWSLambda-SHA384-ECDSA does not exist"},
		{func(in *api.PutSigningProfileInput) {
			in.SigningMaterial = &api.SigningMaterial{CertificateArn: new("a")}
		}, "ValidationException: Signing material is not supported for platform Notation-OCI-SHA384-ECDSA."},
		{func(in *api.PutSigningProfileInput) { in.Overrides = &api.SigningPlatformOverrides{} }, "ValidationException: Overrides are not supported for platform Notation-OCI-SHA384-ECDSA."},
		{func(in *api.PutSigningProfileInput) {
			in.SignatureValidityPeriod = &api.SignatureValidityPeriod{Value: new(int32(1))}
		}, "ValidationException: Signature validity period must have a value and a type."},
		{period(0, "DAYS"), "ValidationException: Signature validity period must be between 1 day and 135 months, not 0 DAYS."},
		{period(136, "MONTHS"), "ValidationException: Signature validity period must be between 1 day and 135 months, not 136 MONTHS."},
		{period(12, "YEARS"), "ValidationException: Signature validity period must be between 1 day and 135 months, not 12 YEARS."},
		{period(1<<31-1, "YEARS"), "ValidationException: Signature validity period must be between 1 day and 135 months, not 2147483647 YEARS."},
		{func(in *api.PutSigningProfileInput) { in.Tags = map[string]string{"aws:x": ""} }, "ValidationException: Tag key aws:x begins with aws:, which is reserved."},
	} {
		w.fails(put(tt.change), tt.want)
	}
	if _, err := w.GetSigningProfile(w.ctx, &api.GetSigningProfileInput{ProfileName: new("two")}); err == nil {
		t.Error("what was refused is there")
	}
	_, err = w.GetSigningProfile(w.as(other), &api.GetSigningProfileInput{ProfileName: new("one")})
	w.fails(err, "ResourceNotFoundException: profile with name one does not exist")
}

func TestProfilesEnd(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		w.profile(name)
	}
	version := w.profile("e").ProfileVersion
	for range 2 { // once more changes nothing
		_, err := w.CancelSigningProfile(w.ctx, &api.CancelSigningProfileInput{ProfileName: new("b")})
		w.must(err)
		w.now = w.now.Add(time.Hour)
	}
	revoke := func(name, version string) error {
		_, err := w.RevokeSigningProfile(w.ctx, &api.RevokeSigningProfileInput{
			ProfileName: &name, ProfileVersion: &version, Reason: new("stolen"), EffectiveTime: new(start.Add(-time.Hour)),
		})
		return err
	}
	w.fails(revoke("e", "0123456789"), "ResourceNotFoundException: profile with name e and version 0123456789 does not exist")
	w.must(revoke("e", *version))
	w.fails(revoke("e", *version), "ValidationException: Signing profile e is revoked.")
	_, err := w.CancelSigningProfile(w.ctx, &api.CancelSigningProfileInput{ProfileName: new("none")})
	w.fails(err, "ResourceNotFoundException: profile with name none does not exist")
	e, err := w.GetSigningProfile(w.ctx, &api.GetSigningProfileInput{ProfileName: new("e")})
	w.must(err)
	if r := e.RevocationRecord; *e.Status != "Revoked" || *e.StatusReason != "stolen" || *r.RevokedBy != identity.RootARN(account) || !r.RevocationEffectiveFrom.Equal(start.Add(-time.Hour)) {
		t.Errorf("revoked %+v %+v", e, r)
	}
	for name, want := range map[string]string{"b": "canceled", "e": "revoked"} {
		_, err := w.SignPayload(w.ctx, &api.SignPayloadInput{ProfileName: &name, Payload: []byte(payload), PayloadFormat: new(notary.PayloadType)})
		w.fails(err, "ValidationException: Signing profile "+name+" is "+want+".")
	}
	list := func(in *api.ListSigningProfilesInput) string {
		t.Helper()
		var names []string
		for pages := 0; ; pages++ {
			out, err := w.ListSigningProfiles(w.ctx, in)
			w.must(err)
			for _, p := range out.Profiles {
				names = append(names, *p.ProfileName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return fmt.Sprint(strings.Join(names, ""), " ", pages)
			}
		}
	}
	for want, in := range map[string]*api.ListSigningProfilesInput{
		"acd 0":   {},
		"acd 2":   {MaxResults: new(int32(1))},
		"abcde 1": {MaxResults: new(int32(3)), IncludeCanceled: new(true)},
		"be 0":    {Statuses: []string{"Canceled", "Revoked"}},
		" 0":      {PlatformId: new("another")},
	} {
		if got := list(in); got != want {
			t.Errorf("listed %q, want %q", got, want)
		}
	}
	first, err := w.ListSigningProfiles(w.ctx, &api.ListSigningProfilesInput{MaxResults: new(int32(1))})
	w.must(err)
	for name, ctx := range map[string]context.Context{"forged": w.ctx, *first.NextToken: w.as(other)} {
		_, err := w.ListSigningProfiles(ctx, &api.ListSigningProfilesInput{NextToken: &name})
		w.fails(err, "ValidationException: Invalid value for nextToken.")
	}

	// The name stays taken until nothing that was signed is valid.
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) error {
		b, err := signings.Profiles.Get(tx, account, region, "b")
		if want := time.Date(2037, 12, 30, 12, 0, 0, 0, time.UTC); !b.ForgetAt().Equal(want) {
			t.Errorf("forgotten at %v, not %v", b.ForgetAt(), want)
		}
		return err
	}))
}

func TestJobs(t *testing.T) {
	w := newWorld(t)
	w.profile("one")
	a := w.sign(w.ctx, "one")
	w.now = w.now.Add(time.Minute)
	b := w.sign(w.ctx, "one")
	for _, tt := range []struct{ profile, format, payload, want string }{
		{"none", notary.PayloadType, payload, "ResourceNotFoundException: profile with name none does not exist"},
		{"one", "text/plain", payload, "ValidationException: Payload format text/plain is not supported. Payload format must be " + notary.PayloadType + "."},
		{"one", notary.PayloadType, "x", "ValidationException: Payload is not valid JSON."},
		{"one", notary.PayloadType, `{"targetArtifact":{"mediaType":"m","digest":"d"}}`, "ValidationException: Payload must have a targetArtifact with mediaType, digest and size."},
	} {
		_, err := w.SignPayload(w.ctx, &api.SignPayloadInput{ProfileName: &tt.profile, PayloadFormat: &tt.format, Payload: []byte(tt.payload)})
		w.fails(err, tt.want)
	}
	j, err := w.DescribeSigningJob(w.ctx, &api.DescribeSigningJobInput{JobId: a.JobId})
	w.must(err)
	if *j.Status != "Succeeded" || *j.ProfileName != "one" || *j.RequestedBy != identity.RootARN(account) || *j.JobInvoker != account ||
		!j.SignatureExpiresAt.Equal(time.Date(2037, 6, 30, 12, 0, 0, 0, time.UTC)) || j.RevocationRecord != nil {
		t.Errorf("described %+v", j)
	}
	revoke := &api.RevokeSignatureInput{JobId: a.JobId, Reason: new("a mistake")}
	_, err = w.RevokeSignature(w.ctx, revoke)
	w.must(err)
	revoke.Reason = new("again")
	_, err = w.RevokeSignature(w.ctx, revoke)
	w.must(err)
	j, err = w.DescribeSigningJob(w.ctx, &api.DescribeSigningJobInput{JobId: a.JobId})
	w.must(err)
	if r := j.RevocationRecord; r == nil || *r.Reason != "a mistake" || !r.RevokedAt.Equal(w.now.Truncate(time.Second)) {
		t.Errorf("revoked %+v", r)
	}
	for _, ctx := range []context.Context{w.ctx, w.as(other)} {
		_, err = w.DescribeSigningJob(ctx, &api.DescribeSigningJobInput{JobId: new("none")})
		w.fails(err, "ResourceNotFoundException: job with id none does not exist")
	}
	_, err = w.RevokeSignature(w.as(other), &api.RevokeSignatureInput{JobId: a.JobId, Reason: new("r")})
	w.fails(err, "ResourceNotFoundException: job with id "+*a.JobId+" does not exist")

	list := func(in *api.ListSigningJobsInput) string {
		t.Helper()
		got := ""
		for {
			out, err := w.ListSigningJobs(w.ctx, in)
			w.must(err)
			for _, j := range out.Jobs {
				got += map[string]string{*a.JobId: "a", *b.JobId: "b"}[*j.JobId]
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return got
			}
			got += " "
		}
	}
	expires := time.Date(2037, 6, 30, 12, 0, 30, 0, time.UTC)
	for _, tt := range []struct {
		in   *api.ListSigningJobsInput
		want string
	}{
		{&api.ListSigningJobsInput{}, "ab"},
		{&api.ListSigningJobsInput{MaxResults: new(int32(1))}, "a b"},
		{&api.ListSigningJobsInput{IsRevoked: new(true)}, "a"},
		{&api.ListSigningJobsInput{IsRevoked: new(false), Status: new("Succeeded"), PlatformId: new(signing.Notation)}, "b"},
		{&api.ListSigningJobsInput{Status: new("Failed")}, ""},
		{&api.ListSigningJobsInput{RequestedBy: new("nobody")}, ""},
		{&api.ListSigningJobsInput{JobInvoker: new(other)}, ""},
		{&api.ListSigningJobsInput{SignatureExpiresBefore: &expires}, "a"},
		{&api.ListSigningJobsInput{SignatureExpiresAfter: &expires}, "b"},
	} {
		if got := list(tt.in); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.in, got, tt.want)
		}
	}
	first, err := w.ListSigningJobs(w.ctx, &api.ListSigningJobsInput{MaxResults: new(int32(1))})
	w.must(err)
	_, err = w.ListSigningJobs(w.ctx, &api.ListSigningJobsInput{NextToken: first.NextToken, Status: new("Failed")})
	w.fails(err, "ValidationException: Invalid value for nextToken.")
}

func TestRevocationStatus(t *testing.T) {
	w := newWorld(t)
	p := w.profile("one")
	jobARN := signing.JobARN(account, region, *w.sign(w.ctx, "one").JobId)
	ask := func(at time.Time, profile, job string) (string, error) {
		out, err := w.GetRevocationStatus(w.as(other), &api.GetRevocationStatusInput{
			SignatureTimestamp: &at, PlatformId: new(signing.Notation), ProfileVersionArn: &profile, JobArn: &job, CertificateHashes: []string{"aa"},
		})
		if err != nil {
			return "", err
		}
		return strings.Join(out.RevokedEntities, " "), nil
	}
	check := func(at time.Time, want string) {
		t.Helper()
		if got, err := ask(at, *p.ProfileVersionArn, jobARN); err != nil || got != want {
			t.Errorf("at %v: %q, %v; want %q", at, got, err, want)
		}
	}
	check(start, "")
	_, err := w.RevokeSigningProfile(w.ctx, &api.RevokeSigningProfileInput{ProfileName: new("one"), ProfileVersion: p.ProfileVersion, Reason: new("r"), EffectiveTime: &start})
	w.must(err)
	check(start.Add(-time.Second), "")
	check(start, *p.ProfileVersionArn)
	_, id, _ := strings.Cut(jobARN, "/signing-jobs/")
	_, err = w.RevokeSignature(w.ctx, &api.RevokeSignatureInput{JobId: &id, Reason: new("r")})
	w.must(err)
	check(start.Add(-time.Second), jobARN)
	check(start, *p.ProfileVersionArn+" "+jobARN)
	for _, tt := range []struct{ profile, job, want string }{
		{*p.Arn, jobARN, "ValidationException: Invalid profile version ARN: " + *p.Arn},
		{*p.Arn + "/0123456789", jobARN, "ValidationException: There is no profile version " + *p.Arn + "/0123456789"},
		{*p.ProfileVersionArn, "arn:aws:signer:us-east-1:" + other + ":/signing-jobs/" + id, "ValidationException: Invalid job ARN: arn:aws:signer:us-east-1:" + other + ":/signing-jobs/" + id},
		{*p.ProfileVersionArn, signing.JobARN(account, region, "none"), "ValidationException: There is no job " + signing.JobARN(account, region, "none")},
	} {
		_, err := ask(start, tt.profile, tt.job)
		w.fails(err, tt.want)
	}
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	p := w.profile("one")
	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"signer:*","Resource":"*"}]}`
	eve := w.user(other, "eve", all)
	sign := &api.SignPayloadInput{ProfileName: new("one"), ProfileOwner: new(account), Payload: []byte(payload), PayloadFormat: new(notary.PayloadType)}
	denied := func(ctx context.Context, operation string, in any) {
		t.Helper()
		if err := w.may(ctx, operation, in); err == nil || !strings.Contains(err.Error(), "is not authorized to perform: signer:"+operation+" on resource: arn:aws:signer:us-east-1:"+account+":/signing-") {
			t.Errorf("%s: %v", operation, err)
		}
	}
	denied(eve, "SignPayload", sign)
	add := func(id, action, principal string, change func(*api.AddProfilePermissionInput)) (string, error) {
		in := &api.AddProfilePermissionInput{ProfileName: new("one"), StatementId: &id, Action: &action, Principal: &principal}
		if change != nil {
			change(in)
		}
		out, err := w.AddProfilePermission(w.ctx, in)
		if err != nil {
			return "", err
		}
		return *out.RevisionId, nil
	}
	_, err := add("s1", "signer:SignPayload", other, func(in *api.AddProfilePermissionInput) { in.ProfileVersion = p.ProfileVersion })
	w.must(err)
	w.must(w.may(eve, "SignPayload", sign))
	denied(eve, "GetSigningProfile", &api.GetSigningProfileInput{ProfileName: new("one"), ProfileOwner: new(account)})
	denied(w.user(other, "mallory", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`), "SignPayload", sign)
	out, err := w.SignPayload(eve, sign)
	w.must(err)
	if *out.JobOwner != account {
		t.Errorf("owned by %s", *out.JobOwner)
	}
	revoke := &api.RevokeSignatureInput{JobId: out.JobId, JobOwner: new(account), Reason: new("r")}
	denied(eve, "RevokeSignature", revoke)
	revision, err := add("s2", "signer:RevokeSignature", "arn:aws:iam::"+other+":role/r", nil)
	w.must(err)
	denied(eve, "RevokeSignature", revoke)
	_, err = w.RevokeSignature(eve, revoke)
	w.must(err) // whom the gate lets through

	for _, tt := range []struct {
		id, action, principal string
		change                func(*api.AddProfilePermissionInput)
		want                  string
	}{
		{"s3", "signer:StartSigningJob", other, nil, "ValidationException: Action signer:StartSigningJob not supported for platform Notation-OCI-SHA384-ECDSA. Action must be one of [signer:SignPayload, signer:GetSigningProfile, signer:RevokeSignature]"},
		{"s3", "signer:SignPayload", "arn:aws:iam::" + other + ":role/a/b", nil, "ValidationException: Principal is not a valid AWS account id or IAM Role Arn"},
		{"", "signer:SignPayload", other, nil, "ValidationException: Statement id  is not valid."},
		{"s1", "signer:SignPayload", other, nil, "ConflictException: The statement id s1 already exists."},
		{"s3", "signer:SignPayload", other, func(in *api.AddProfilePermissionInput) { in.RevisionId = new("old") }, "ConflictException: The revision id does not match the current revision of the signing profile's permissions."},
		{"s3", "signer:SignPayload", other, func(in *api.AddProfilePermissionInput) { in.ProfileVersion = new("0123456789") }, "ResourceNotFoundException: profile with name one and version 0123456789 does not exist"},
		{"s3", "signer:SignPayload", other, func(in *api.AddProfilePermissionInput) { in.ProfileName = new("none") }, "ResourceNotFoundException: profile with name none does not exist"},
	} {
		_, err := add(tt.id, tt.action, tt.principal, tt.change)
		w.fails(err, tt.want)
	}
	for n := range 30 {
		revision, err = add(fmt.Sprint("n", n), "signer:GetSigningProfile", other, func(in *api.AddProfilePermissionInput) { in.RevisionId = &revision })
		w.must(err)
	}
	var ids []string
	in := &api.ListProfilePermissionsInput{ProfileName: new("one")}
	for pages := 1; ; pages++ {
		out, err := w.ListProfilePermissions(w.ctx, in)
		w.must(err)
		if *out.RevisionId != revision || *out.PolicySizeBytes < 1000 {
			t.Errorf("listed %+v", out)
		}
		for _, g := range out.Permissions {
			ids = append(ids, *g.StatementId)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			if pages != 2 || len(ids) != 32 || ids[0] != "s1" || ids[31] != "n29" {
				t.Errorf("%d pages with %v", pages, ids)
			}
			break
		}
	}
	_, err = w.ListProfilePermissions(w.ctx, &api.ListProfilePermissionsInput{ProfileName: new("one"), NextToken: new("forged")})
	w.fails(err, "ValidationException: Invalid value for nextToken.")
	remove := func(id, revision string) error {
		_, err := w.RemoveProfilePermission(w.ctx, &api.RemoveProfilePermissionInput{ProfileName: new("one"), StatementId: &id, RevisionId: &revision})
		return err
	}
	w.fails(remove("none", revision), "ResourceNotFoundException: statement with id none does not exist")
	w.fails(remove("s1", "old"), "ConflictException: The revision id does not match the current revision of the signing profile's permissions.")
	w.must(w.may(eve, "SignPayload", sign))
	w.must(remove("s1", revision))
	denied(eve, "SignPayload", sign)
}

// TestConditions: resources and condition keys of the caller's own policies.
func TestConditions(t *testing.T) {
	w := newWorld(t)
	p := w.profile("one")
	w.profile("two")
	_, err := w.TagResource(w.ctx, &api.TagResourceInput{ResourceArn: p.Arn, Tags: map[string]string{"team": "red"}})
	w.must(err)
	policy := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"signer:*","Resource":"` + *p.Arn + `"` + condition + `}]}`
	}
	input := func(name string) *api.SignPayloadInput { return &api.SignPayloadInput{ProfileName: &name} }
	for n, tt := range []struct {
		condition string
		ok        bool
	}{
		{"", true},
		{`,"Condition":{"StringEquals":{"signer:ProfileVersion":"` + *p.ProfileVersion + `"}}`, true},
		{`,"Condition":{"StringEquals":{"signer:ProfileVersion":"0123456789"}}`, false},
		{`,"Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}`, true},
		{`,"Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}`, false},
	} {
		ctx := w.user(account, fmt.Sprint("u", n), policy(tt.condition))
		if err := w.may(ctx, "SignPayload", input("one")); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.condition, err)
		}
		if w.may(ctx, "SignPayload", input("two")) == nil || w.may(ctx, "PutSigningProfile", &api.PutSigningProfileInput{ProfileName: new("one")}) == nil {
			t.Errorf("%s: another resource", tt.condition)
		}
	}
	verifier := w.user(other, "verifier", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"signer:GetRevocationStatus","Resource":"arn:aws:signer:*:*:/signing-*"}]}`)
	w.must(w.may(verifier, "GetRevocationStatus", &api.GetRevocationStatusInput{JobArn: new(signing.JobARN(account, region, "j")), ProfileVersionArn: p.ProfileVersionArn}))
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	p := w.profile("one")
	gone := w.profile("gone")
	tag := func(arn string, tags map[string]string) error {
		_, err := w.TagResource(w.ctx, &api.TagResourceInput{ResourceArn: &arn, Tags: tags})
		return err
	}
	w.must(tag(*p.Arn, map[string]string{"b": "1", "a": "2"}))
	w.must(tag(*p.Arn, map[string]string{"b": "3"}))
	_, err := w.UntagResource(w.ctx, &api.UntagResourceInput{ResourceArn: p.Arn, TagKeys: []string{"a", "none"}})
	w.must(err)
	many := map[string]string{}
	for n := range 200 {
		many[fmt.Sprint("k", n)] = ""
	}
	w.fails(tag(*p.Arn, many), "BadRequestException: A signing profile can have at most 200 tags.")
	w.fails(tag(*p.Arn, map[string]string{"aws:x": ""}), "BadRequestException: Tag key aws:x begins with aws:, which is reserved.")
	w.fails(tag(*p.ProfileVersionArn, map[string]string{"k": ""}), "BadRequestException: Invalid resource ARN: "+*p.ProfileVersionArn)
	w.fails(tag(*p.Arn+"x", map[string]string{"k": ""}), "NotFoundException: Resource "+*p.Arn+"x not found.")
	_, err = w.CancelSigningProfile(w.ctx, &api.CancelSigningProfileInput{ProfileName: new("gone")})
	w.must(err)
	w.fails(tag(*gone.Arn, map[string]string{"k": ""}), "BadRequestException: Signing profile gone is canceled.")
	out, err := w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceArn: p.Arn})
	w.must(err)
	if fmt.Sprint(out.Tags) != "map[b:3]" {
		t.Errorf("tags %v", out.Tags)
	}
}

func TestPlatforms(t *testing.T) {
	w := newWorld(t)
	list := func(in *api.ListSigningPlatformsInput) int {
		t.Helper()
		out, err := w.ListSigningPlatforms(w.ctx, in)
		w.must(err)
		return len(out.Platforms)
	}
	if list(&api.ListSigningPlatformsInput{}) != 1 || list(&api.ListSigningPlatformsInput{Partner: new("Notation-OCI"), Target: new("SHA384-ECDSA")}) != 1 ||
		list(&api.ListSigningPlatformsInput{Category: new("AWSIoT")}) != 0 {
		t.Error("listed otherwise")
	}
	_, err := w.ListSigningPlatforms(w.ctx, &api.ListSigningPlatformsInput{NextToken: new("forged")})
	w.fails(err, "ValidationException: Invalid value for nextToken.")
	p, err := w.GetSigningPlatform(w.ctx, &api.GetSigningPlatformInput{PlatformId: new(signing.Notation)})
	w.must(err)
	if *p.DisplayName != signing.NotationName || !*p.RevocationSupported {
		t.Errorf("got %+v", p)
	}
	_, err = w.GetSigningPlatform(w.ctx, &api.GetSigningPlatformInput{PlatformId: new("none")})
	w.fails(err, "ResourceNotFoundException: platform with id none does not exist")
}

// TestKeysAreSealed: no private key can be read from the store, and another master key
// does not open them.
func TestKeysAreSealed(t *testing.T) {
	w := newWorld(t)
	w.profile("one")
	var stored []byte
	w.must(w.deps.Store.View(w.ctx, func(tx store.Tx) error {
		p, err := signings.Profiles.Get(tx, account, region, "one")
		w.must(err)
		key, err := w.open(p.Sealed, p.Bound())
		w.must(err)
		for _, v := range tx.List("", "", 0) {
			stored = append(stored, v.Bytes()...)
		}
		d, err := key.Bytes()
		if bytes.Contains(stored, d) {
			t.Error("the private key is readable")
		}
		p.Name = "two"
		if _, err := w.open(p.Sealed, p.Bound()); err == nil {
			t.Error("opened as the key of another profile")
		}
		return err
	}))
	w.master[0]++
	_, err := w.SignPayload(w.ctx, &api.SignPayloadInput{ProfileName: new("one"), Payload: []byte(payload), PayloadFormat: new(notary.PayloadType)})
	if err != errAuthority {
		t.Errorf("signed with another master key: %v", err)
	}
}

package imagesigner

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	awsecr "neargate/aws/ecr"
	awssigner "neargate/aws/signer"
	"neargate/cmd/neargate/door"
	controlled "neargate/control/images"
	"neargate/dataplane/registry"
	"neargate/resource/identity"
	"neargate/resource/image"
	"neargate/resource/image/notary"
	"neargate/resource/signing"
	"neargate/service"
	"neargate/service/ecr"
	"neargate/service/signer"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/repositories"
	"neargate/wire"
)

const account, region = "123456789012", "us-east-1"

// world is Amazon ECR and AWS Signer over one store, with a worker, a root user and a
// clock.
type world struct {
	*Worker
	t      *testing.T
	ctx    context.Context
	now    time.Time
	full   bool // the disk
	ecr    *ecr.Service
	signer *signer.Service
	blobs  *registry.Store
	calls  []wire.Call // of AWS Signer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	var err error
	if w.blobs, err = registry.Open(t.TempDir(), now); err != nil {
		t.Fatal(err)
	}
	st, ids := mem.New(mem.Paranoid()), arn.NewSource(rand.Reader)
	deps := service.Deps{Store: store.Limited(st, func() bool { return w.full }), Now: now, IDs: ids, TokenKey: [32]byte{1}}
	w.ecr = ecr.New(deps, w.blobs, nil, func() string { return "http://here" })
	w.signer = signer.New(deps, [32]byte{2})
	w.Worker = &Worker{
		Store: st, Gate: door.Gate{Directory: auth.NewDirectory(st, now)}, Signer: w.signer, Images: w.ecr.Images(),
		Observe: func(c wire.Call) { w.calls = append(w.calls, c) }, Now: now, IDs: ids, Log: slog.New(slog.DiscardHandler),
	}
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: region, UserID: account, ARN: identity.RootARN(account)})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) update(f func(store.Tx) error) {
	w.t.Helper()
	w.must(w.Store.Update(w.ctx, f))
}

// profile makes a signing profile and returns its ARN.
func (w *world) profile(name string) string {
	w.t.Helper()
	out, err := w.signer.PutSigningProfile(w.ctx, &awssigner.PutSigningProfileInput{ProfileName: &name, PlatformId: new(signing.Notation)})
	w.must(err)
	return *out.Arn
}

// rules sets the signing configuration: profiles with a filter each.
func (w *world) rules(filters ...[2]string) {
	w.t.Helper()
	c := &awsecr.SigningConfiguration{Rules: []awsecr.SigningRule{}}
	for _, f := range filters {
		c.Rules = append(c.Rules, awsecr.SigningRule{SigningProfileArn: &f[0], RepositoryFilters: []awsecr.SigningRepositoryFilter{{Filter: &f[1], FilterType: new("WILDCARD_MATCH")}}})
	}
	_, err := w.ecr.PutSigningConfiguration(w.ctx, &awsecr.PutSigningConfigurationInput{SigningConfiguration: c})
	w.must(err)
}

// user makes a user with a policy that allows actions and is its context.
func (w *world) user(name, actions string) context.Context {
	w.t.Helper()
	k := identity.NewAccessKey(account, name, w.now, w.IDs)
	u := identity.User{Account: account, Path: "/", Name: name, ID: w.IDs.IAM("AIDA")}
	w.update(func(tx store.Tx) error { return errors.Join(tables.AccessKeys.Put(tx, &k), tables.Users.Put(tx, &u)) })
	w.grant(name, actions)
	return auth.WithCaller(w.ctx, auth.Caller{Account: account, Region: region, ARN: u.ARN(), UserID: u.ID, AccessKeyID: k.ID, SourceIP: "198.51.100.7"})
}

// grant replaces what a user may do.
func (w *world) grant(name, actions string) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		u, err := tables.Users.Get(tx, account, identity.Fold(name))
		if err != nil {
			return err
		}
		u.Grants.Inline = []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + actions + `","Resource":"*",` +
			`"Condition":{"StringEquals":{"aws:CalledViaLast":"ecr.amazonaws.com"},"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}]}`}}
		return tables.Users.Put(tx, &u)
	})
}

// push puts an image with a tag into a repository, which it makes, and returns its digest.
func (w *world) push(ctx context.Context, repo, content, tag string) string {
	w.t.Helper()
	_, _ = w.ecr.CreateRepository(w.ctx, &awsecr.CreateRepositoryInput{RepositoryName: &repo})
	up, err := w.ecr.InitiateLayerUpload(ctx, &awsecr.InitiateLayerUploadInput{RepositoryName: &repo})
	w.must(err)
	_, err = w.ecr.UploadLayerPart(ctx, &awsecr.UploadLayerPartInput{
		RepositoryName: &repo, UploadId: up.UploadId, LayerPartBlob: []byte(content), PartFirstByte: new(int64(0)), PartLastByte: new(int64(len(content) - 1)),
	})
	w.must(err)
	layer := image.DigestOf([]byte(content))
	_, err = w.ecr.CompleteLayerUpload(ctx, &awsecr.CompleteLayerUploadInput{RepositoryName: &repo, UploadId: up.UploadId, LayerDigests: []string{layer}})
	if err != nil && !strings.HasPrefix(err.Error(), "LayerAlreadyExistsException") {
		w.t.Fatal(err)
	}
	text := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, layer, len(content))
	out, err := w.ecr.PutImage(ctx, &awsecr.PutImageInput{RepositoryName: &repo, ImageManifest: &text, ImageTag: &tag})
	w.must(err)
	return *out.Image.ImageId.ImageDigest
}

// work signs what is to be signed.
func (w *world) work() {
	w.t.Helper()
	_, err := w.Sign(w.ctx)
	w.must(err)
}

// status is how far the signing of an image is: status, code and reason of each profile.
func (w *world) status(repo, digest string) string {
	w.t.Helper()
	out, err := w.ecr.DescribeImageSigningStatus(w.ctx, &awsecr.DescribeImageSigningStatusInput{RepositoryName: &repo, ImageId: &awsecr.ImageIdentifier{ImageDigest: &digest}})
	w.must(err)
	var all []string
	for _, s := range out.SigningStatuses {
		text := (*s.SigningProfileArn)[strings.LastIndexByte(*s.SigningProfileArn, '/')+1:] + " " + *s.Status
		if s.FailureCode != nil {
			text += " " + *s.FailureCode + ": " + *s.FailureReason
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// signatures are the artifacts that refer to an image.
func (w *world) signatures(in, repo, digest string) []awsecr.ImageReferrer {
	w.t.Helper()
	ctx := auth.WithCaller(w.ctx, auth.Caller{Account: account, Region: in, UserID: account, ARN: identity.RootARN(account)})
	out, err := w.ecr.ListImageReferrers(ctx, &awsecr.ListImageReferrersInput{RepositoryName: &repo, SubjectId: &awsecr.SubjectIdentifier{ImageDigest: &digest}})
	w.must(err)
	return out.Referrers
}

// jobs counts the signatures that AWS Signer made.
func (w *world) jobs() int {
	w.t.Helper()
	out, err := w.signer.ListSigningJobs(w.ctx, &awssigner.ListSigningJobsInput{})
	w.must(err)
	return len(out.Jobs)
}

func TestSigns(t *testing.T) {
	w := newWorld(t)
	one := w.profile("one")
	w.rules([2]string{one, "app/*"}, [2]string{w.profile("two"), "*/web"}, [2]string{one, "*"})
	bob := w.user("bob", "signer:SignPayload")
	digest := w.push(bob, "app/web", "x", "v1")
	if got := w.status("app/web", digest); got != "one IN_PROGRESS, two IN_PROGRESS" {
		t.Errorf("before: %s", got)
	}
	w.work()
	if got := w.status("app/web", digest); got != "one COMPLETE, two COMPLETE" {
		t.Errorf("after: %s", got)
	}
	all := w.signatures(region, "app/web", digest)
	if len(all) != 2 {
		t.Fatalf("%d signatures", len(all))
	}
	for _, s := range all {
		if *s.ArtifactType != notary.ArtifactType || !strings.HasPrefix(s.Annotations["io.cncf.notary.x509chain.thumbprint#S256"], `["`) {
			t.Errorf("artifact %+v", s)
		}
		w.verify(digest, *s.Digest)
	}
	for _, c := range w.calls {
		p := c.Principal.(auth.Caller)
		if c.Service != "signer" || c.Operation != "SignPayload" || c.Status != 200 || c.SourceIP != "ecr.amazonaws.com" || p.By != "ecr.amazonaws.com" || !strings.HasSuffix(p.ARN, "user/bob") {
			t.Errorf("recorded %+v", c)
		}
	}
	// Signatures are not signed, nor is what no rule wants, nor an image again that has
	// another tag put on it.
	w.push(bob, "app/web", "x", "v2")
	w.rules([2]string{one, "app/*"})
	other := w.push(bob, "other", "x", "v1")
	w.work()
	if n := w.jobs(); n != 2 || len(w.signatures(region, "app/web", digest)) != 2 || w.status("other", other) != "" {
		t.Errorf("%d jobs, other: %q", n, w.status("other", other))
	}
	for _, s := range all {
		if got := w.status("app/web", *s.Digest); got != "" {
			t.Errorf("a signature: %s", got)
		}
	}
	// What refers to an image goes with it, and so does what is known of its signing.
	_, err := w.ecr.BatchDeleteImage(w.ctx, &awsecr.BatchDeleteImageInput{RepositoryName: new("app/web"), ImageIds: []awsecr.ImageIdentifier{{ImageDigest: &digest}}})
	w.must(err)
	w.must(w.Store.View(w.ctx, func(tx store.Tx) error {
		if n := tx.Count(store.Prefix(repositories.Signings.Name)) + tx.Count(store.Prefix(repositories.Images.Name, account, region, "app/web")); n != 0 {
			t.Errorf("%d records are left", n)
		}
		return nil
	}))
}

// verify checks that a signature is about an image, and that all of it is in the
// registry. Whether it is good, e2e asks the Notary Project's own library.
func (w *world) verify(subject, signature string) {
	w.t.Helper()
	read := func(digest string) []byte {
		f, err := w.blobs.Open(digest)
		w.must(err)
		defer f.Close()
		b, err := io.ReadAll(f)
		w.must(err)
		return b
	}
	type descriptor struct{ Digest string }
	var m struct {
		Config  descriptor
		Layers  []descriptor
		Subject descriptor
	}
	w.must(json.Unmarshal(read(signature), &m))
	var envelope struct{ Payload, Protected string }
	w.must(json.Unmarshal(read(m.Layers[0].Digest), &envelope))
	if m.Subject.Digest != subject || string(read(m.Config.Digest)) != "{}" || envelope.Payload == "" {
		w.t.Errorf("signature %+v", m)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.rules([2]string{w.profile("one"), "*"})
	bob := w.user("bob", "signer:GetSigningProfile")
	digest := w.push(bob, "app", "x", "v1")
	w.work()
	want := "one FAILED AccessDeniedException: User: arn:aws:iam::123456789012:user/bob is not authorized to perform: signer:SignPayload on resource: " +
		"arn:aws:signer:us-east-1:123456789012:/signing-profiles/one because no identity-based policy allows the signer:SignPayload action"
	if got := w.status("app", digest); got != want {
		t.Errorf("not permitted: %s", got)
	}
	if n := len(w.signatures(region, "app", digest)); n != 0 || len(w.calls) != 1 || w.calls[0].Code != "AccessDeniedException" {
		t.Errorf("%d signatures, recorded %+v", n, w.calls)
	}
	// Pushed again, it is tried again.
	w.grant("bob", "signer:SignPayload")
	w.push(bob, "app", "x", "v2")
	w.work()
	if got := w.status("app", digest); got != "one COMPLETE" {
		t.Errorf("permitted: %s", got)
	}

	gone := w.push(bob, "app", "of bob", "v3")
	w.update(func(tx store.Tx) error { return tables.AccessKeys.Delete(tx, auth.CallerFrom(bob).AccessKeyID) })
	w.work()
	if got := w.status("app", gone); got != "one FAILED AccessDeniedException: The identity that pushed the image can no longer be used." {
		t.Errorf("of who is gone: %s", got)
	}
	w.rules([2]string{signing.ARN(account, region, "none"), "*"})
	none := w.push(w.ctx, "app", "with none", "v4")
	w.work()
	if got := w.status("app", none); got != "none FAILED ResourceNotFoundException: profile with name none does not exist" {
		t.Errorf("without a profile: %s", got)
	}
	_, err := w.signer.CancelSigningProfile(w.ctx, &awssigner.CancelSigningProfileInput{ProfileName: new("one")})
	w.must(err)
	w.rules([2]string{signing.ARN(account, region, "one"), "*"})
	canceled := w.push(w.ctx, "app", "canceled", "v5")
	w.work()
	if got := w.status("app", canceled); got != "one FAILED ValidationException: Signing profile one is canceled." {
		t.Errorf("with a canceled profile: %s", got)
	}
}

// TestInterrupted: whatever ends a daemon between a push and its signature, the next one
// gives the image one signature.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	w.rules([2]string{w.profile("one"), "*"})
	first := func() *image.Signing {
		t.Helper()
		var all []image.Signing
		w.must(w.Store.View(w.ctx, func(tx store.Tx) (err error) {
			all, err = store.Collect(repositories.Signings.ByPage(tx, repositories.SigningsInProgress, nil, "", 1))
			return err
		}))
		return &all[0]
	}
	ask := func(g *image.Signing) *awssigner.SignPayloadOutput {
		t.Helper()
		i, ok, err := w.Images.ToSign(w.ctx, g)
		w.must(err)
		if !ok {
			t.Fatal("nothing to sign")
		}
		out, err := w.ask(w.ctx, g, &i)
		w.must(err)
		return out
	}

	// After AWS Signer signed, and once more after all was done.
	digest := w.push(w.ctx, "app", "x", "v1")
	g := first()
	lost := ask(g)
	w.work()
	w.must(w.Images.Signed(w.ctx, g, lost.Signature, nil))
	w.must(w.Images.NotSigned(w.ctx, g, "Late", "too late"))
	w.work()
	if n := len(w.signatures(region, "app", digest)); n != 1 || w.jobs() != 2 || w.status("app", digest) != "one COMPLETE" {
		t.Errorf("%d signatures, %d jobs, %s", n, w.jobs(), w.status("app", digest))
	}

	// Without room on the disk it waits, and others do not wait for it.
	full := w.push(w.ctx, "app", "no room", "v2")
	w.full = true
	if _, err := w.Sign(w.ctx); !errors.Is(err, store.ErrFull) {
		t.Errorf("without room: %v", err)
	}
	if got := w.status("app", full); got != "one IN_PROGRESS" {
		t.Errorf("without room: %s", got)
	}
	w.full = false
	w.work()
	if got := w.status("app", full); got != "one COMPLETE" {
		t.Errorf("with room again: %s", got)
	}

	// An image that is deleted meanwhile.
	deleted := w.push(w.ctx, "app", "deleted", "v3")
	g = first()
	late := ask(g)
	_, err := w.ecr.BatchDeleteImage(w.ctx, &awsecr.BatchDeleteImageInput{RepositoryName: new("app"), ImageIds: []awsecr.ImageIdentifier{{ImageDigest: &deleted}}})
	w.must(err)
	w.must(w.Images.Signed(w.ctx, g, late.Signature, nil))
	w.work()
	if n := len(w.signatures(region, "app", deleted)); n != 0 {
		t.Errorf("%d signatures of an image that is gone", n)
	}
}

// TestReplicated: signatures are copied as images are, and not signed where they come.
func TestReplicated(t *testing.T) {
	w := newWorld(t)
	const there = "eu-west-1"
	w.rules([2]string{w.profile("one"), "*"})
	_, err := w.ecr.PutReplicationConfiguration(w.ctx, &awsecr.PutReplicationConfigurationInput{ReplicationConfiguration: &awsecr.ReplicationConfiguration{
		Rules: []awsecr.ReplicationRule{{Destinations: []awsecr.ReplicationDestination{{Region: new(there), RegistryId: new(account)}}}}}})
	w.must(err)
	digest := w.push(w.ctx, "app", "x", "v1")
	copies := controlled.Replicate(w.IDs, func(store.Tx, *image.Replica) (bool, error) { return false, nil })
	for range 3 {
		w.work()
		st := copies.Stepper(1)
		w.must(st.List(w.ctx, w.Store))
		for {
			ran, pass := st.Step(w.ctx, w.Store, w.now)
			if !ran {
				break
			}
			w.must(pass.Err)
		}
	}
	for _, in := range []string{region, there} {
		if n := len(w.signatures(in, "app", digest)); n != 1 {
			t.Errorf("%d signatures in %s", n, in)
		}
	}
	if w.jobs() != 1 {
		t.Errorf("%d jobs", w.jobs())
	}
}

// TestRun: images are signed as they are pushed, those of before too.
func TestRun(t *testing.T) {
	w := newWorld(t)
	w.rules([2]string{w.profile("one"), "*"})
	before := w.push(w.ctx, "app", "before", "v1")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	done := func(digest string) {
		t.Helper()
		for e, err := range w.Store.Watch(ctx, 0, store.Prefix(repositories.Signings.Name)) {
			w.must(err)
			if g, err := repositories.Signings.Decode(e.Val); err == nil && g.Digest == digest && g.Status != image.InProgress {
				return
			}
		}
	}
	done(before)
	after := w.push(w.ctx, "app", "after", "v2")
	done(after)
	cancel()
	w.must(<-ended)
	if w.status("app", before) != "one COMPLETE" || w.status("app", after) != "one COMPLETE" {
		t.Errorf("%s, %s", w.status("app", before), w.status("app", after))
	}
}

package ecr_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/dataplane/registry"
	"neargate/dataplane/upstream"
	"neargate/internal/registries"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/ecr"
	"neargate/service/ecr/images"
	"neargate/store/mem"
)

const account, region = "123456789012", "us-east-1"

type world struct {
	*ecr.Service
	t     *testing.T
	ctx   context.Context
	now   time.Time
	blobs *registry.Store
}

func newWorld(t *testing.T, up images.Upstream) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	var err error
	if w.blobs, err = registry.Open(t.TempDir(), now); err != nil {
		t.Fatal(err)
	}
	deps := service.Deps{Store: mem.New(), Now: now, IDs: arn.NewSource(rand.Reader), TokenKey: [32]byte{1}}
	w.Service = ecr.New(deps, w.blobs, up, func() string { return "http://here" })
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: region, UserID: account, ARN: "arn:aws:iam::" + account + ":root"})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refused(what, want string, err error) {
	w.t.Helper()
	if err == nil || err.Error() != want && !(strings.HasSuffix(want, "…") && strings.HasPrefix(err.Error(), strings.TrimSuffix(want, "…"))) {
		w.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func (w *world) repository(name string) {
	w.t.Helper()
	_, err := w.CreateRepository(w.ctx, &api.CreateRepositoryInput{RepositoryName: &name})
	w.must(err)
}

// layer uploads a layer by the API, in parts.
func (w *world) layer(repo string, parts ...string) string {
	w.t.Helper()
	up, err := w.InitiateLayerUpload(w.ctx, &api.InitiateLayerUploadInput{RepositoryName: &repo})
	w.must(err)
	at := int64(0)
	for _, p := range parts {
		out, err := w.UploadLayerPart(w.ctx, &api.UploadLayerPartInput{
			RepositoryName: &repo, UploadId: up.UploadId, LayerPartBlob: []byte(p), PartFirstByte: &at, PartLastByte: new(at + int64(len(p)) - 1),
		})
		w.must(err)
		at = *out.LastByteReceived + 1
	}
	digest := image.DigestOf([]byte(strings.Join(parts, "")))
	_, err = w.CompleteLayerUpload(w.ctx, &api.CompleteLayerUploadInput{RepositoryName: &repo, UploadId: up.UploadId, LayerDigests: []string{digest}})
	w.must(err)
	return digest
}

func manifest(layer string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":1},"layers":[]}`, layer)
}

func (w *world) put(repo, text string, tag *string) (string, error) {
	out, err := w.PutImage(w.ctx, &api.PutImageInput{RepositoryName: &repo, ImageManifest: &text, ImageTag: tag})
	if err != nil {
		return "", err
	}
	return *out.Image.ImageId.ImageDigest, nil
}

func TestRepositories(t *testing.T) {
	w := newWorld(t, nil)
	for _, n := range []string{"c/d", "b", "a", "e"} {
		w.repository(n)
	}
	_, err := w.CreateRepository(w.ctx, &api.CreateRepositoryInput{RepositoryName: new("a")})
	w.refused("twice", "RepositoryAlreadyExistsException: The repository with name 'a' already exists in the registry with id '123456789012'", err)
	var names []string
	in := &api.DescribeRepositoriesInput{MaxResults: new(int32(3))}
	for {
		out, err := w.DescribeRepositories(w.ctx, in)
		w.must(err)
		for _, r := range out.Repositories {
			names = append(names, *r.RepositoryName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if got := strings.Join(names, " "); got != "a b c/d e" {
		t.Errorf("pages: %s", got)
	}
	_, err = w.DescribeRepositories(w.ctx, &api.DescribeRepositoriesInput{NextToken: new("forged")})
	w.refused("a forged token", "InvalidParameterException: Invalid parameter at 'nextToken'…", err)
	for what, in := range map[string]*api.CreateRepositoryInput{
		"KmsException: …": {RepositoryName: new("k"), EncryptionConfiguration: &api.EncryptionConfiguration{EncryptionType: new("KMS"), KmsKey: new("k")}},
		"InvalidParameterException: Invalid parameter at 'imageTagMutabilityExclusionFilters'…": {RepositoryName: new("k"), ImageTagMutability: new(image.ImmutableWithExclusion)},
		"InvalidTagParameterException: Duplicate tag keys found: a":                             {RepositoryName: new("k"), Tags: []api.Tag{{Key: new("a"), Value: new("")}, {Key: new("a"), Value: new("")}}},
		"InvalidTagParameterException: Tag keys beginning with 'aws:'…":                         {RepositoryName: new("k"), Tags: []api.Tag{{Key: new("AWS:a"), Value: new("")}}},
	} {
		_, err := w.CreateRepository(w.ctx, in)
		w.refused("create", what, err)
	}
	del, err := w.DeleteRepository(w.ctx, &api.DeleteRepositoryInput{RepositoryName: new("b")})
	w.must(err)
	if r := del.Repository; r.EncryptionConfiguration != nil || r.ImageScanningConfiguration != nil || *r.RepositoryName != "b" {
		t.Errorf("deleted %+v", r)
	}
	resource := new(image.ARN(account, region, "a"))
	_, err = w.TagResource(w.ctx, &api.TagResourceInput{ResourceArn: resource, Tags: []api.Tag{{Key: new("x"), Value: new("1")}, {Key: new("y"), Value: new("2")}}})
	w.must(err)
	_, err = w.UntagResource(w.ctx, &api.UntagResourceInput{ResourceArn: resource, TagKeys: []string{"x", "none"}})
	w.must(err)
	tags, err := w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceArn: resource})
	w.must(err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "y" {
		t.Errorf("tags %+v", tags.Tags)
	}
	_, err = w.TagResource(w.ctx, &api.TagResourceInput{ResourceArn: new("arn:aws:ecr:us-east-1:999999999999:repository/a")})
	w.refused("another account's", "InvalidParameterException: …", err)
}

func TestImages(t *testing.T) {
	w := newWorld(t, nil)
	w.repository("app")
	l1, l2 := w.layer("app", "one", "two"), w.layer("app", "other")
	d1, err := w.put("app", manifest(l1), new("v1"))
	w.must(err)
	w.now = w.now.Add(time.Second)
	d2, err := w.put("app", manifest(l2), new("v1")) // the tag moves
	w.must(err)
	shown, err := w.DescribeImages(w.ctx, &api.DescribeImagesInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageDigest: &d1}, {ImageTag: new("v1")}}})
	w.must(err)
	if i := shown.ImageDetails; len(i) != 2 || len(i[0].ImageTags) != 0 || *i[1].ImageDigest != d2 || i[1].ImageTags[0] != "v1" {
		t.Errorf("described %+v", i)
	}
	check, err := w.BatchCheckLayerAvailability(w.ctx, &api.BatchCheckLayerAvailabilityInput{RepositoryName: new("app"), LayerDigests: []string{l1, image.DigestOf(nil), "bad", ""}})
	w.must(err)
	if l := check.Layers; len(l) != 2 || *l[0].LayerSize != 6 || l[0].MediaType == nil || *l[1].LayerAvailability != "UNAVAILABLE" || len(check.Failures) != 2 {
		t.Errorf("layers %+v, failures %+v", l, check.Failures)
	}
	none := image.DigestOf([]byte("none"))
	for want, try := range map[string]func() error{
		"ImageAlreadyExistsException: Image with digest '" + d2 + "' and tag 'v1' already exists in the repository with name 'app' in registry with id '123456789012'": func() error {
			_, err := w.put("app", manifest(l2), new("v1"))
			return err
		},
		"ImageAlreadyExistsException: Image with digest '" + d2 + "' already exists in the repository with name 'app' in registry with id '123456789012'": func() error {
			_, err := w.put("app", manifest(l2), nil)
			return err
		},
		"LayersNotFoundException: Layers with digests '[" + none + "]' required for pushing image into repository with name 'app' in the registry with id '123456789012' do not exist": func() error {
			_, err := w.put("app", manifest(none), nil)
			return err
		},
		"InvalidParameterException: Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'": func() error {
			_, err := w.put("app", "{}", nil)
			return err
		},
		"ReferencedImagesNotFoundException: Images with digests '[" + none + "]'…": func() error {
			_, err := w.put("app", `{"schemaVersion":2,"manifests":[{"digest":"`+none+`"}]}`, nil)
			return err
		},
		"ImageDigestDoesNotMatchException: The image with digest '" + none + "' in repository 'app' and registry ID '123456789012' does not match the image digest that Amazon ECR has calculated.": func() error {
			_, err := w.PutImage(w.ctx, &api.PutImageInput{RepositoryName: new("app"), ImageManifest: new(manifest(l1)), ImageDigest: &none})
			return err
		},
		"ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with name 'app' in the registry with id '123456789012'": func() error {
			_, err := w.DescribeImages(w.ctx, &api.DescribeImagesInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageTag: new("none")}}})
			return err
		},
		"ScanNotFoundException: …": func() error {
			_, err := w.DescribeImageScanFindings(w.ctx, &api.DescribeImageScanFindingsInput{RepositoryName: new("app"), ImageId: &api.ImageIdentifier{ImageTag: new("v1")}})
			return err
		},
		"UploadNotFoundException: …": func() error {
			_, err := w.CompleteLayerUpload(w.ctx, &api.CompleteLayerUploadInput{RepositoryName: new("app"), UploadId: new("00000000-0000-0000-0000-000000000000"), LayerDigests: []string{none}})
			return err
		},
	} {
		w.refused("images", want, try())
	}
	got, err := w.BatchGetImage(w.ctx, &api.BatchGetImageInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageTag: new("none")}, {}, {ImageDigest: new("x:1")}, {ImageTag: new("v1"), ImageDigest: &d1}}})
	w.must(err)
	var codes []string
	for _, f := range got.Failures {
		codes = append(codes, *f.FailureCode)
	}
	if strings.Join(codes, " ") != "ImageNotFound MissingDigestAndTag InvalidImageDigest ImageTagDoesNotMatchDigest" {
		t.Errorf("failures %v", codes)
	}
	_, err = w.put("app", manifest(l2), new("v2"))
	w.must(err)
	untag, err := w.BatchDeleteImage(w.ctx, &api.BatchDeleteImageInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageTag: new("v2")}}})
	w.must(err)
	if ids := untag.ImageIds; len(ids) != 1 || *ids[0].ImageDigest != d2 || *ids[0].ImageTag != "v2" {
		t.Errorf("untagged %+v", ids)
	}
	_, err = w.DeleteRepository(w.ctx, &api.DeleteRepositoryInput{RepositoryName: new("app")})
	w.refused("not empty", "RepositoryNotEmptyException: The repository with name 'app' in registry with id '123456789012' cannot be deleted because it still contains images", err)
	gone, err := w.BatchDeleteImage(w.ctx, &api.BatchDeleteImageInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageTag: new("v1")}, {ImageDigest: &d1}}})
	w.must(err)
	if len(gone.ImageIds) != 2 || len(gone.Failures) != 0 {
		t.Errorf("deleted %+v", gone)
	}
	// What no image has goes after a day; what a push looked for meanwhile stays.
	w.now = w.now.Add(images.LayerKeep)
	_, err = w.BatchCheckLayerAvailability(w.ctx, &api.BatchCheckLayerAvailabilityInput{RepositoryName: new("app"), LayerDigests: []string{l2}})
	w.must(err)
	w.must(w.Images().Sweep(w.ctx))
	check, err = w.BatchCheckLayerAvailability(w.ctx, &api.BatchCheckLayerAvailabilityInput{RepositoryName: new("app"), LayerDigests: []string{l1, l2}})
	w.must(err)
	if *check.Layers[0].LayerAvailability != "UNAVAILABLE" || *check.Layers[1].LayerAvailability != "AVAILABLE" {
		t.Errorf("after a sweep: %+v", check.Layers)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t, nil)
	w.repository("app")
	for n := range 7 {
		l := w.layer("app", fmt.Sprint(n))
		tag := new(fmt.Sprint("t", n))
		if n%2 == 1 {
			tag = nil
		}
		_, err := w.put("app", manifest(l), tag)
		w.must(err)
	}
	seen := map[string]bool{}
	in := &api.DescribeImagesInput{RepositoryName: new("app"), MaxResults: new(int32(2)), Filter: &api.DescribeImagesFilter{TagStatus: new("TAGGED")}}
	for pages := 1; ; pages++ {
		out, err := w.DescribeImages(w.ctx, in)
		w.must(err)
		for _, i := range out.ImageDetails {
			seen[*i.ImageDigest] = true
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			if pages != 2 || len(seen) != 4 {
				t.Errorf("%d pages with %d images", pages, len(seen))
			}
			break
		}
	}
	list, err := w.ListImages(w.ctx, &api.ListImagesInput{RepositoryName: new("app"), Filter: &api.ListImagesFilter{TagStatus: new("UNTAGGED")}})
	w.must(err)
	if len(list.ImageIds) != 3 || list.ImageIds[0].ImageTag != nil {
		t.Errorf("untagged %+v", list.ImageIds)
	}
}

func TestPolicies(t *testing.T) {
	w := newWorld(t, nil)
	w.repository("app")
	app := new("app")
	_, err := w.GetRepositoryPolicy(w.ctx, &api.GetRepositoryPolicyInput{RepositoryName: app})
	w.refused("none", "RepositoryPolicyNotFoundException: Repository policy does not exist for the repository with name 'app' in the registry with id '123456789012'", err)
	set, err := w.SetRepositoryPolicy(w.ctx, &api.SetRepositoryPolicyInput{RepositoryName: app,
		PolicyText: new(`{"Statement":[{"Action":["ecr:BatchGetImage"],"Sid":"a","Effect":"Deny","Principal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::210987654321:root"]}}],"Version":"2012-10-17"}`)})
	w.must(err)
	const want = `{
  "Version" : "2012-10-17",
  "Statement" : [ {
    "Sid" : "a",
    "Effect" : "Deny",
    "Principal" : {
      "AWS" : [ "arn:aws:iam::123456789012:root", "arn:aws:iam::210987654321:root" ]
    },
    "Action" : "ecr:BatchGetImage"
  } ]
}`
	if *set.PolicyText != want {
		t.Errorf("rendered %s", *set.PolicyText)
	}
	for _, bad := range []string{`{}`, `no`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*"}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*"}]}`} {
		_, err := w.SetRepositoryPolicy(w.ctx, &api.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: &bad})
		w.refused(bad, "InvalidParameterException: Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'", err)
	}
	_, err = w.GetRegistryPolicy(w.ctx, &api.GetRegistryPolicyInput{})
	w.refused("none", "RegistryPolicyNotFoundException: Registry policy does not exist in the registry with id '123456789012'", err)
	_, err = w.GetLifecyclePolicy(w.ctx, &api.GetLifecyclePolicyInput{RepositoryName: app})
	w.refused("none", "LifecyclePolicyNotFoundException: Lifecycle policy does not exist for the repository with name 'app' in the registry with id '123456789012'", err)
	const keep = `{ "rules": [ {"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}} ] }`
	put, err := w.PutLifecyclePolicy(w.ctx, &api.PutLifecyclePolicyInput{RepositoryName: app, LifecyclePolicyText: new(keep)})
	w.must(err)
	got, err := w.GetLifecyclePolicy(w.ctx, &api.GetLifecyclePolicyInput{RepositoryName: app})
	w.must(err)
	if *put.LifecyclePolicyText != strings.ReplaceAll(keep, " ", "") || got.LastEvaluatedAt.Unix() != 0 {
		t.Errorf("%s evaluated at %s", *put.LifecyclePolicyText, got.LastEvaluatedAt)
	}
	_, err = w.PutLifecyclePolicy(w.ctx, &api.PutLifecyclePolicyInput{RepositoryName: app, LifecyclePolicyText: new(strings.Replace(keep, `Number":1`, `Number":0`, 1))})
	w.refused("zero", "InvalidParameterException: Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: numeric instance is lower than the required minimum (minimum: 1, found: 0)\n'", err)
	_, err = w.GetLifecyclePolicyPreview(w.ctx, &api.GetLifecyclePolicyPreviewInput{RepositoryName: app})
	w.refused("no preview", "LifecyclePolicyPreviewNotFoundException: …", err)
	for n := range 4 {
		w.now = w.now.Add(time.Second)
		_, err := w.put("app", manifest(w.layer("app", fmt.Sprint(n))), new(fmt.Sprint("t", n)))
		w.must(err)
	}
	_, err = w.StartLifecyclePolicyPreview(w.ctx, &api.StartLifecyclePolicyPreviewInput{RepositoryName: app})
	w.must(err)
	var tags []string
	in := &api.GetLifecyclePolicyPreviewInput{RepositoryName: app, MaxResults: new(int32(2))}
	for {
		out, err := w.GetLifecyclePolicyPreview(w.ctx, in)
		w.must(err)
		for _, r := range out.PreviewResults {
			tags = append(tags, r.ImageTags...)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if strings.Join(tags, " ") != "t0 t1 t2" {
		t.Errorf("would expire %v", tags)
	}
}

func TestTemplatesAndSettings(t *testing.T) {
	w := newWorld(t, nil)
	create := &api.CreateRepositoryCreationTemplateInput{Prefix: new("team/"), AppliedFor: []string{image.ForCreateOnPush}, ImageTagMutability: new(image.Immutable)}
	_, err := w.CreateRepositoryCreationTemplate(w.ctx, create)
	w.must(err)
	_, err = w.CreateRepositoryCreationTemplate(w.ctx, create)
	w.refused("twice", "TemplateAlreadyExistsException: The Repository Creation Template with prefix 'team' already exists in the registry with id '123456789012'", err)
	for name, want := range map[string]bool{"team/app": true, "other/app": false} {
		made, err := w.Images().Make(w.ctx, nil, name, image.ForCreateOnPush)
		if err != nil || made != want {
			t.Errorf("%s: made %v, %v", name, made, err)
		}
	}
	r, err := w.DescribeRepositories(w.ctx, &api.DescribeRepositoriesInput{})
	w.must(err)
	if len(r.Repositories) != 1 || *r.Repositories[0].ImageTagMutability != image.Immutable {
		t.Errorf("made %+v", r.Repositories)
	}
	_, err = w.UpdateRepositoryCreationTemplate(w.ctx, &api.UpdateRepositoryCreationTemplateInput{Prefix: new("none")})
	w.refused("none", "TemplateNotFoundException: …", err)
	_, err = w.DeleteRepositoryCreationTemplate(w.ctx, &api.DeleteRepositoryCreationTemplateInput{Prefix: new("team")})
	w.must(err)
	got, err := w.GetAccountSetting(w.ctx, &api.GetAccountSettingInput{Name: new(image.BlobMounting)})
	w.must(err)
	if *got.Value != "DISABLED" {
		t.Errorf("blob mounting is %s", *got.Value)
	}
	_, err = w.PutAccountSetting(w.ctx, &api.PutAccountSettingInput{Name: new(image.BlobMounting), Value: new("ENABLED")})
	w.must(err)
	w.repository("a")
	w.repository("b")
	l := w.layer("a", "shared")
	if ok, err := w.Images().Mount(w.ctx, new(account), new("b"), "a", l); err != nil || !ok {
		t.Errorf("mounted: %v, %v", ok, err)
	}
	_, err = w.PutAccountSetting(w.ctx, &api.PutAccountSettingInput{Name: new("NONE"), Value: new("x")})
	w.refused("setting", "InvalidParameterException: …", err)
	_, err = w.PutReplicationConfiguration(w.ctx, &api.PutReplicationConfigurationInput{ReplicationConfiguration: &api.ReplicationConfiguration{
		Rules: []api.ReplicationRule{{Destinations: []api.ReplicationDestination{{Region: new(region), RegistryId: new(account)}}}}}})
	w.refused("to itself", "InvalidParameterException: …", err)
}

func TestSigningConfiguration(t *testing.T) {
	w := newWorld(t, nil)
	none := "SigningConfigurationNotFoundException: Signing configuration does not exist in the registry with id '123456789012'"
	_, err := w.GetSigningConfiguration(w.ctx, &api.GetSigningConfigurationInput{})
	w.refused("none", none, err)
	_, err = w.DeleteSigningConfiguration(w.ctx, &api.DeleteSigningConfigurationInput{})
	w.refused("none", none, err)
	put := func(profile string) error {
		_, err := w.PutSigningConfiguration(w.ctx, &api.PutSigningConfigurationInput{SigningConfiguration: &api.SigningConfiguration{Rules: []api.SigningRule{{
			SigningProfileArn: &profile, RepositoryFilters: []api.SigningRepositoryFilter{{Filter: new("a/*"), FilterType: new("WILDCARD_MATCH")}}}}}})
		return err
	}
	const profile = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/one"
	w.must(put(profile))
	for bad, want := range map[string]string{
		profile + "/0123456789": "ValidationException: Invalid signing profile ARN: " + profile + "/0123456789",
		"arn:aws:signer:eu-west-1:123456789012:/signing-profiles/one":    "ValidationException: The signing profile must be in region us-east-1: arn:aws:signer:eu-west-1:123456789012:/signing-profiles/one",
		"arn:aws-cn:signer:us-east-1:123456789012:/signing-profiles/one": "ValidationException: Invalid signing profile ARN: arn:aws-cn:signer:us-east-1:123456789012:/signing-profiles/one",
	} {
		w.refused("a profile", want, put(bad))
	}
	got, err := w.GetSigningConfiguration(w.ctx, &api.GetSigningConfigurationInput{})
	w.must(err)
	if r := got.SigningConfiguration.Rules; *got.RegistryId != account || len(r) != 1 || *r[0].SigningProfileArn != profile || *r[0].RepositoryFilters[0].Filter != "a/*" {
		t.Errorf("got %+v", got)
	}
	was, err := w.DeleteSigningConfiguration(w.ctx, &api.DeleteSigningConfigurationInput{})
	w.must(err)
	if len(was.SigningConfiguration.Rules) != 1 {
		t.Errorf("deleted %+v", was)
	}
	_, err = w.PutSigningConfiguration(w.ctx, &api.PutSigningConfigurationInput{SigningConfiguration: &api.SigningConfiguration{Rules: []api.SigningRule{}}})
	w.must(err)
	if got, err = w.GetSigningConfiguration(w.ctx, &api.GetSigningConfigurationInput{}); err != nil || len(got.SigningConfiguration.Rules) != 0 {
		t.Errorf("without rules: %+v, %v", got, err)
	}

	// The status of what is not there.
	status := func(repo string, id api.ImageIdentifier) error {
		_, err := w.DescribeImageSigningStatus(w.ctx, &api.DescribeImageSigningStatusInput{RepositoryName: &repo, ImageId: &id})
		return err
	}
	w.refused("a repository", "RepositoryNotFoundException: …", status("none", api.ImageIdentifier{ImageTag: new("v1")}))
	w.repository("app")
	w.refused("an image", "ImageNotFoundException: …", status("app", api.ImageIdentifier{ImageTag: new("v1")}))
	digest, err := w.put("app", manifest(w.layer("app", "x")), new("v1"))
	w.must(err)
	out, err := w.DescribeImageSigningStatus(w.ctx, &api.DescribeImageSigningStatusInput{RepositoryName: new("app"), ImageId: &api.ImageIdentifier{ImageDigest: &digest}})
	w.must(err)
	if len(out.SigningStatuses) != 0 || *out.RegistryId != account {
		t.Errorf("of an image that nobody signs: %+v", out)
	}
}

func TestPullThrough(t *testing.T) {
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	conf := filepath.Join(t.TempDir(), "registries.json")
	if err := os.WriteFile(conf, []byte(`{"registries":{"public.ecr.aws":{"mirrors":["`+server.URL+`"],"only":true}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	mirrors, err := registries.Read(conf)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, upstream.New(mirrors))
	push := func(layers int64) {
		t.Helper()
		index, err := random.Index(100, layers, 2)
		w.must(err)
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/docker/library/httpd:2")
		w.must(err)
		w.must(remote.WriteIndex(ref, index))
	}
	push(1)
	rule := &api.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: new("pub"), UpstreamRegistryUrl: new("public.ecr.aws")}
	_, err = w.CreatePullThroughCacheRule(w.ctx, rule)
	w.must(err)
	_, err = w.CreatePullThroughCacheRule(w.ctx, rule)
	w.refused("twice", "PullThroughCacheRuleAlreadyExistsException: …", err)
	_, err = w.CreatePullThroughCacheRule(w.ctx, &api.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: new("x"), UpstreamRegistryUrl: new("example.com")})
	w.refused("unknown", "UnsupportedUpstreamRegistryException: …", err)
	get := func(repo string) (string, error) {
		out, err := w.BatchGetImage(w.ctx, &api.BatchGetImageInput{RepositoryName: &repo, ImageIds: []api.ImageIdentifier{{ImageTag: new("2")}}})
		if err != nil || len(out.Images) == 0 {
			return "", err
		}
		return *out.Images[0].ImageId.ImageDigest, nil
	}
	first, err := get("pub/docker/library/httpd")
	if err != nil || first == "" {
		t.Fatalf("%q, %v", first, err)
	}
	all, err := w.DescribeImages(w.ctx, &api.DescribeImagesInput{RepositoryName: new("pub/docker/library/httpd")})
	w.must(err)
	if len(all.ImageDetails) != 3 {
		t.Errorf("cached %d images, not the list and its two", len(all.ImageDetails))
	}
	_, err = get("pub/docker/library/none")
	w.refused("not upstream", "RepositoryNotFoundException: …", err)
	_, err = get("docker/library/httpd")
	w.refused("without a rule", "RepositoryNotFoundException: …", err)

	// The tag upstream is looked at once a day.
	push(2)
	if again, err := get("pub/docker/library/httpd"); err != nil || again != first {
		t.Errorf("within a day: %s, %v", again, err)
	}
	w.now = w.now.Add(25 * time.Hour)
	second, err := get("pub/docker/library/httpd")
	if err != nil || second == first {
		t.Errorf("after a day: %s, %v", second, err)
	}
	server.Close() // what is cached stays
	w.now = w.now.Add(25 * time.Hour)
	if again, err := get("pub/docker/library/httpd"); err != nil || again != second {
		t.Errorf("without upstream: %s, %v", again, err)
	}
}

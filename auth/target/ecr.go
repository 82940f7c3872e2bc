package target

import (
	"encoding/json"
	"errors"
	"strings"

	"neargate/arn"
	"neargate/auth/target/tagged"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// ecrRules are those of Amazon ECR. A repository is in the registry that the request
// names, which has a policy as well as the repository.
// Source: Amazon ECR User Guide, "Private registry permissions".
var ecrRules = rules{
	about: ecrAbout,
	resources: merge(
		each(func(in Input) []string { return in.ecr(in.given("RepositoryName")) },
			"BatchCheckLayerAvailability", "BatchDeleteImage", "BatchGetImage", "CompleteLayerUpload", "CreateRepository",
			"DeleteLifecyclePolicy", "DeleteRepository", "DeleteRepositoryPolicy", "DescribeImageReplicationStatus",
			"DescribeImageScanFindings", "DescribeImageSigningStatus", "DescribeImages", "GetDownloadUrlForLayer", "GetLifecyclePolicy",
			"GetLifecyclePolicyPreview", "GetRepositoryPolicy", "InitiateLayerUpload", "ListImageReferrers", "ListImages",
			"PutImage", "PutImageScanningConfiguration", "PutImageTagMutability", "PutLifecyclePolicy", "SetRepositoryPolicy",
			"StartLifecyclePolicyPreview", "UploadLayerPart"),
		each(func(in Input) []string {
			if names := in.list("RepositoryNames"); len(names) > 0 {
				return in.ecr(names)
			}
			return in.ecr([]string{"*"})
		}, "DescribeRepositories", "BatchGetRepositoryScanningConfiguration"),
		each(func(in Input) []string { return in.given("ResourceArn") },
			"TagResource", "UntagResource", "ListTagsForResource"),
		each(Input.ecrForeign, "CreatePullThroughCacheRule", "DeletePullThroughCacheRule", "DescribePullThroughCacheRules",
			"UpdatePullThroughCacheRule", "ValidatePullThroughCacheRule"),
	),
}

// ecr are the ARNs of repositories.
func (in Input) ecr(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, arn.New("ecr", in.Caller.Region, in.registry(), "repository/"+n))
	}
	return out
}

// registry is the account whose registry a request is about.
func (in Input) registry() string {
	if id := in.text("RegistryId"); id != "" {
		return id
	}
	return in.Caller.Account
}

// ecrForeign is another account's registry, where the request names one; what is in
// the caller's own has no ARN.
func (in Input) ecrForeign() []string {
	if in.registry() == in.Caller.Account {
		return nil
	}
	return []string{arn.New("ecr", in.Caller.Region, in.registry(), "*")}
}

// ecrAbout finds the policies and tags of a repository.
func ecrAbout(in Input, resource string) (r Resource, err error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return r, nil // not of a repository: the service refuses it
	}
	return Repository(in.Tx, a)
}

// Repository is what decides about the use of a repository.
func Repository(tx store.Tx, a arn.ARN) (r Resource, err error) {
	r.Account = a.Account
	g, _, err := repositories.Registries.Find(tx, a.Account, a.Region)
	if err != nil {
		return r, err
	}
	name := strings.TrimPrefix(a.Resource, "repository/")
	repo, _, err := repositories.Repositories.Find(tx, a.Account, a.Region, name)
	if err != nil {
		return r, err
	}
	r.Tags = tagged.Of(repo.Labels)
	r.Policy, err = joined(repo.Policy, g.Policy)
	return r, err
}

// joined is a policy with the statements of two, one of which may be missing.
func joined(a, b string) (string, error) {
	if a == "" || b == "" {
		return a + b, nil
	}
	type document struct {
		Version   string
		Statement []json.RawMessage
	}
	var both, other document
	if err := errors.Join(json.Unmarshal([]byte(a), &both), json.Unmarshal([]byte(b), &other)); err != nil {
		return "", err
	}
	both.Version = max(both.Version, other.Version)
	both.Statement = append(both.Statement, other.Statement...)
	text, err := json.Marshal(both)
	return string(text), err
}

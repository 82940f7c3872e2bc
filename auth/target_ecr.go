package auth

import "neargate/arn"

// ecrResources gives the resources of Amazon ECR's operations; those left out are
// about the registry, "*". A repository is in the registry that the request names.
// Source: Actions, resources, and condition keys for Amazon Elastic Container
// Registry, Service Authorization Reference.
func ecrResources() map[string]func(input) []string {
	return merge(
		each("ecr", func(in input) []string { return in.ecr(in.given("RepositoryName")) },
			"BatchCheckLayerAvailability", "BatchDeleteImage", "BatchGetImage", "CompleteLayerUpload", "CreateRepository",
			"DeleteLifecyclePolicy", "DeleteRepository", "DeleteRepositoryPolicy", "DescribeImageReplicationStatus",
			"DescribeImageScanFindings", "DescribeImages", "GetDownloadUrlForLayer", "GetLifecyclePolicy",
			"GetLifecyclePolicyPreview", "GetRepositoryPolicy", "InitiateLayerUpload", "ListImageReferrers", "ListImages",
			"PutImage", "PutImageScanningConfiguration", "PutImageTagMutability", "PutLifecyclePolicy", "SetRepositoryPolicy",
			"StartLifecyclePolicyPreview", "UploadLayerPart"),
		each("ecr", func(in input) []string {
			if names := in.list("RepositoryNames"); len(names) > 0 {
				return in.ecr(names)
			}
			return in.ecr([]string{"*"})
		}, "DescribeRepositories", "BatchGetRepositoryScanningConfiguration"),
		each("ecr", func(in input) []string { return in.given("ResourceArn") },
			"TagResource", "UntagResource", "ListTagsForResource"),
	)
}

// ecr are the ARNs of repositories.
func (in input) ecr(names []string) []string {
	account := in.caller.Account
	if id := in.text("RegistryId"); id != "" {
		account = id
	}
	var out []string
	for _, n := range names {
		out = append(out, arn.New("ecr", in.caller.Region, account, "repository/"+n))
	}
	return out
}

// foreignRegistry refuses a call about another account's registry: nothing there
// allows it.
func foreignRegistry(c Caller, in input, action string) error {
	id := in.text("RegistryId")
	if id == "" || id == c.Account {
		return nil
	}
	resource := "*"
	if all := in.ecr(in.given("RepositoryName")); len(all) > 0 {
		resource = all[0]
	}
	return &Denied{c.ARN, action, resource, "because no resource-based policy allows the " + action + " action"}
}

package target

import (
	"cmp"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/auth/target/tagged"
)

// signerRules are those of AWS Signer. A profile's permissions are its policy, which
// decides about its jobs, too.
var signerRules = rules{
	resources: merge(
		each(func(in Input) []string { return []string{in.signingProfile()} },
			"AddProfilePermission", "CancelSigningProfile", "GetSigningProfile", "ListProfilePermissions", "RemoveProfilePermission",
			"RevokeSigningProfile", "SignPayload"),
		each(func(in Input) []string { return []string{in.signingJob()} }, "DescribeSigningJob", "RevokeSignature"),
		each(func(in Input) []string {
			version := in.text("ProfileVersionArn")
			return []string{in.text("JobArn"), version[:max(0, strings.LastIndexByte(version, '/'))]}
		}, "GetRevocationStatus"),
		each(func(in Input) []string { return in.given("ResourceArn") }, "TagResource", "UntagResource", "ListTagsForResource"),
	),
	context: func(in Input, _ string, keys policy.Context) {
		resource := in.signingProfile()
		if in.text("JobId") != "" {
			resource = in.signingJob()
		}
		if p, err := tagged.SigningProfile(in.Tx, resource); err == nil && p.Version != "" {
			keys.Set("signer:ProfileVersion", p.Version)
		}
	},
	about: func(in Input, resource string) (Resource, error) {
		if in.text("JobArn") != "" { // whoever verifies may ask what was revoked, whosever it is
			return Resource{Account: in.Caller.Account}, nil
		}
		p, err := tagged.SigningProfile(in.Tx, resource)
		return Resource{Account: p.Account, Policy: p.Policy, Tags: p.Tags}, err
	},
}

// signingProfile is the ARN of the profile that a request names.
func (in Input) signingProfile() string {
	return arn.New("signer", in.Caller.Region, cmp.Or(in.text("ProfileOwner"), in.Caller.Account), "/signing-profiles/"+in.text("ProfileName"))
}

// signingJob is the ARN of the job that a request names.
func (in Input) signingJob() string {
	return arn.New("signer", in.Caller.Region, cmp.Or(in.text("JobOwner"), in.Caller.Account), "/signing-jobs/"+in.text("JobId"))
}

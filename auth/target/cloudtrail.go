package target

import (
	"neargate/arn"
	"neargate/auth/policy"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
)

// Trails is the AWS service that acts with the roles of trails.
const Trails = "cloudtrail.amazonaws.com"

// trailRules are those of AWS CloudTrail.
var trailRules = rules{
	resources: merge(
		each(func(in Input) []string { return []string{in.trail(in.text("Name"))} },
			"CreateTrail", "UpdateTrail", "DeleteTrail", "GetTrail", "GetTrailStatus", "StartLogging", "StopLogging"),
		each(func(in Input) []string { return []string{in.trail(in.text("TrailName"))} },
			"GetEventSelectors", "PutEventSelectors", "GetInsightSelectors"),
		each(func(in Input) []string { return in.given("ResourceId") }, "AddTags", "RemoveTags"),
		each(func(in Input) []string { return in.list("ResourceIdList") }, "ListTags"),
	),
	context: func(in Input, operation string, keys policy.Context) {
		var names []string
		for _, t := range in.all("TagsList") {
			key := asText(in.field(t, "Key"))
			names = append(names, key)
			if operation != "RemoveTags" {
				keys.Set("aws:RequestTag/"+key, asText(in.field(t, "Value")))
			}
		}
		if len(names) > 0 {
			keys.Set("aws:TagKeys", names...)
		}
	},
	also: func(in Input, operation string) []Target {
		role := in.text("CloudWatchLogsRoleArn")
		if role == "" || operation != "CreateTrail" && operation != "UpdateTrail" {
			return nil
		}
		pass := policy.Context{}
		pass.Set("iam:PassedToService", Trails)
		return []Target{{"iam:PassRole", []string{in.role(role)}, pass}}
	},
	tags: func(in Input, resource string) ([]identity.Tag, error) { return tagged.Trail(in.Tx, resource) },
}

// trail is the ARN of a trail given by name or ARN.
func (in Input) trail(text string) string {
	if arn.Is(text) || text == "" {
		return text
	}
	return arn.New("cloudtrail", in.Caller.Region, in.Caller.Account, "trail/"+text)
}

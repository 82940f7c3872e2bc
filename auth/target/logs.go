package target

import (
	"strings"

	"neargate/arn"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
	"neargate/store/tables"
)

// logsRules are those of Amazon CloudWatch Logs.
var logsRules = rules{
	tags: Input.logTags,
	resources: merge(
		each(func(in Input) []string { return []string{in.group("")} }, "CreateLogGroup",
			"TagLogGroup", "UntagLogGroup", "ListTagsLogGroup"),
		each(func(in Input) []string { return []string{in.group(":log-stream:")} },
			"DeleteLogGroup", "DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents", "PutRetentionPolicy", "DeleteRetentionPolicy",
			"PutMetricFilter", "DescribeMetricFilters", "DeleteMetricFilter", "PutSubscriptionFilter", "DescribeSubscriptionFilters",
			"DeleteSubscriptionFilter", "GetLogGroupFields", "CreateExportTask"),
		each(Input.groups, "StartQuery", "StartLiveTail"),
		each(func(in Input) []string { return []string{in.group(":log-stream:" + in.text("LogStreamName"))} },
			"CreateLogStream", "DeleteLogStream", "PutLogEvents", "GetLogEvents"),
		each(func(in Input) []string { return in.given("ResourceArn") },
			"TagResource", "UntagResource", "ListTagsForResource"),
	),
}

// groups are the ARNs of all log groups that a request names.
func (in Input) groups() []string {
	names := append(in.list("LogGroupNames"), in.list("LogGroupIdentifiers")...)
	if name := in.text("LogGroupName"); name != "" {
		names = append(names, name)
	}
	for i, name := range names {
		names[i] = in.logGroup(name, ":log-stream:")
	}
	return names
}

// group is the ARN of the request's log group, with a suffix.
func (in Input) group(suffix string) string {
	name := in.text("LogGroupName")
	if name == "" {
		name = in.text("LogGroupIdentifier")
	}
	return in.logGroup(name, suffix)
}

// logGroup is the ARN of a log group given by name or ARN, with a suffix. An ARN
// that is not of the caller's account and region finds no group.
func (in Input) logGroup(name, suffix string) string {
	if _, given, ok := strings.Cut(name, ":log-group:"); ok {
		name = strings.TrimSuffix(given, ":*")
	}
	return arn.New("logs", in.Caller.Region, in.Caller.Account, "log-group:"+name+suffix)
}

// logTags are the tags of the log group that a resource is, or is of.
func (in Input) logTags(resource string) ([]identity.Tag, error) {
	a, err := arn.Parse(resource)
	name, ok := strings.CutPrefix(a.Resource, "log-group:")
	if err != nil || !ok {
		return nil, nil
	}
	name, _, _ = strings.Cut(name, ":")
	g, _, err := tables.LogGroups.Find(in.Tx, a.Account, a.Region, name)
	return tagged.Of(g.Tags), err
}

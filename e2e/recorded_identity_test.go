package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// escapedTrust is a percent-encoded trust policy for a service.
const escapedTrust = `%7B%22Version%22%3A%20%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ecs-tasks.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D`

func TestRecordedRoles(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const (
		linked    = "arn:aws:iam::$ACCOUNT:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
		protected = "UnmodifiableEntity: Cannot perform the operation on the protected role 'AWSServiceRoleForECS' - this role is only modifiable by AWS"
		boundary  = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
	)
	c.run(t, "iam", []row{
		{source: "CreateRole answer", op: "CreateRole", in: "RoleName=R&Description=d&MaxSessionDuration=7200&Tags.member.1.Key=Team&Tags.member.1.Value=1&PermissionsBoundary=" + boundary + "&AssumeRolePolicyDocument=" + escapedTrust, want: []string{
			`raw ~ (?s)^<CreateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">\n  <CreateRoleResult>\n    <Role>\n.*\n  <ResponseMetadata>\n    <RequestId>[0-9a-f-]{36}</RequestId>\n  </ResponseMetadata>\n</CreateRoleResponse>\n$$`,
			`!Role.Description`, `!Role.MaxSessionDuration`, `!Role.RoleLastUsed`, `Role.Path = "/"`, `Role.RoleId ~ ^AROA[A-Z0-9]{17}$$`, `Role.Arn = "arn:aws:iam::$ACCOUNT:role/R"`,
			`Role.CreateDate ~ ^[0-9-]{10}T[0-9:]{8}Z$$`, `Role.AssumeRolePolicyDocument = "` + escapedTrust + `"`,
			`Role.PermissionsBoundary = {"PermissionsBoundaryType":"Policy","PermissionsBoundaryArn":"` + boundary + `"}`, `raw ~ <Value>1</Value>\n\s+<Key>Team</Key>`}},
		{source: "GetRole, name in any case", op: "GetRole", in: "RoleName=r", want: []string{
			`Role.Description = "d"`, `Role.MaxSessionDuration = "7200"`, `Role.RoleLastUsed = ""`, `Role.RoleName = "R"`, `Role.Tags.# = 1`, `Role.PermissionsBoundary`}},
		{source: "ListRoles", op: "ListRoles", want: []string{
			`Roles.0.Description = "d"`, `Roles.0.MaxSessionDuration = "7200"`, `!Roles.0.Tags`, `!Roles.0.PermissionsBoundary`, `!Roles.0.RoleLastUsed`, `IsTruncated = "false"`}},
		{source: "UpdateRole keeps the duration", op: "UpdateRole", in: "RoleName=R&Description=", want: []string{`raw ~ ^<UpdateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">\n`}},
		{source: "UpdateRole keeps the duration", op: "GetRole", in: "RoleName=R", want: []string{`Role.MaxSessionDuration = "7200"`}},
		{source: "UpdateRoleDescription answer", op: "UpdateRoleDescription", in: "RoleName=R&Description=e", want: []string{
			`Role.Description = "e"`, `!Role.MaxSessionDuration`, `!Role.Tags`, `!Role.PermissionsBoundary`}},
		{source: "missing", op: "GetRole", in: "RoleName=none", code: 404, fails: "NoSuchEntity: The role with name none cannot be found."},
		{source: "CreateCluster makes the service-linked role", op: "GetRole", in: "RoleName=AWSServiceRoleForECS", code: 404, fails: "NoSuchEntity: The role with name AWSServiceRoleForECS cannot be found."},
	})
	c.run(t, "ecs", []row{{source: "CreateCluster makes the service-linked role", op: "CreateCluster"}})
	c.run(t, "iam", []row{
		{source: "AWSServiceRoleForECS", op: "GetRole", in: "RoleName=AWSServiceRoleForECS", want: []string{
			`Role.Path = "/aws-service-role/ecs.amazonaws.com/"`, `Role.MaxSessionDuration = "3600"`, `Role.Arn = "` + linked + `"`,
			`Role.Description = "Policy to enable Amazon ECS to manage your EC2 instances and related resources."`,
			`Role.AssumeRolePolicyDocument = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ecs.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D"`}},
		{source: "create again", op: "CreateServiceLinkedRole", in: "AWSServiceName=ecs.amazonaws.com", fails: "InvalidInput: Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix."},
		{source: "suffix", op: "CreateServiceLinkedRole", in: "AWSServiceName=ecs.amazonaws.com&CustomSuffix=x", fails: "InvalidInput: Custom suffix is not allowed for ecs.amazonaws.com"},
		{source: "duration", op: "UpdateRole", in: "RoleName=AWSServiceRoleForECS&MaxSessionDuration=7200", fails: "UnmodifiableEntity: AWSServiceRoleForECS is an AWS service linked role, max session duration cannot be changed."},
		{source: "trust", op: "UpdateAssumeRolePolicy", in: "RoleName=AWSServiceRoleForECS&PolicyDocument=" + escapedTrust, fails: protected},
		{source: "inline policy", op: "PutRolePolicy", in: "RoleName=AWSServiceRoleForECS&PolicyName=p&PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D", fails: protected},
		{source: "attach", op: "AttachRolePolicy", in: "RoleName=AWSServiceRoleForECS&PolicyArn=" + boundary, fails: protected},
		{source: "detach", op: "DetachRolePolicy", in: "RoleName=AWSServiceRoleForECS&PolicyArn=" + boundary, fails: protected},
		{source: "boundary", op: "PutRolePermissionsBoundary", in: "RoleName=AWSServiceRoleForECS&PermissionsBoundary=" + boundary, fails: protected},
		{source: "DeleteRole", op: "DeleteRole", in: "RoleName=AWSServiceRoleForECS", fails: protected},
		{source: "tags may change", op: "TagRole", in: "RoleName=AWSServiceRoleForECS&Tags.member.1.Key=a&Tags.member.1.Value=1"},
		{source: "description may change", op: "UpdateRoleDescription", in: "RoleName=AWSServiceRoleForECS&Description=x"},
		{source: "delete in use", op: "DeleteServiceLinkedRole", in: "RoleName=AWSServiceRoleForECS", want: []string{`DeletionTaskId ~ ^task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/[0-9a-f-]{36}$$`}, keep: "DELETION=DeletionTaskId"},
		{source: "delete in use", op: "GetServiceLinkedRoleDeletionStatus", in: "DeletionTaskId=$DELETION", await: true, want: []string{
			`Status = "FAILED"`, `Reason.Reason = "Role in use."`, `Reason.RoleUsageList = [{"Region":"us-east-1","Resources":["${ECS}cluster/default"]}]`}},
	})
	c.run(t, "ecs", []row{{source: "no cluster left", op: "DeleteCluster", in: `{"cluster":"default"}`}})
	c.run(t, "iam", []row{
		{source: "delete", op: "DeleteServiceLinkedRole", in: "RoleName=AWSServiceRoleForECS", keep: "DELETION=DeletionTaskId"},
		{source: "delete", op: "GetServiceLinkedRoleDeletionStatus", in: "DeletionTaskId=$DELETION", await: true, want: []string{`Status = "SUCCEEDED"`}},
		{source: "delete", op: "GetRole", in: "RoleName=AWSServiceRoleForECS", code: 404, fails: "NoSuchEntity: The role with name AWSServiceRoleForECS cannot be found."},
	})
}

func TestRecordedRoleInputs(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const allow = "&PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"
	c.run(t, "iam", []row{
		{source: "setup", op: "CreateRole", in: "RoleName=R&Path=/a//b/&AssumeRolePolicyDocument=" + escapedTrust, want: []string{`Role.Path = "/a//b/"`}},
		{source: "900", op: "ListRoles", in: "MaxItems=900"},
		{source: "booleans", op: "ListPolicies", in: "OnlyAttached=1&Scope=Local"},
		{source: "booleans", op: "ListPolicies", in: "OnlyAttached=0&Scope=Local"},
		{source: "0900", op: "ListRoles", in: "MaxItems=0900"},
		{source: "+900", op: "ListRoles", in: "MaxItems=%2B900"},
		{source: "tag keys ignore case", op: "TagRole", in: "RoleName=R&Tags.member.1.Key=Team&Tags.member.1.Value=1"},
		{source: "tag keys ignore case", op: "TagRole", in: "RoleName=R&Tags.member.01.Key=team&Tags.member.01.Value=aws:2"},
		{source: "tag keys ignore case", op: "ListRoleTags", in: "RoleName=R", want: []string{`Tags = [{"Key":"team","Value":"aws:2"}]`}},
		{source: "untagging reserved keys", op: "UntagRole", in: "RoleName=R&TagKeys.member.1=aws:x&TagKeys.member.2=aws:x"},
		{source: "empty untag list", op: "UntagRole", in: "RoleName=R&TagKeys="},
		{source: "reserved key", op: "TagRole", in: "RoleName=R&Tags.member.1.Key=AWS:x&Tags.member.1.Value=1", fails: "InvalidInput: Tag keys beginning with aws: are reserved for system use."},
		{source: "inline policy names ignore case", op: "PutRolePolicy", in: "RoleName=R&PolicyName=MixedName" + allow},
		{source: "inline policy names ignore case", op: "PutRolePolicy", in: "RoleName=R&PolicyName=mixedname" + allow},
		{source: "list keeps the original spelling", op: "ListRolePolicies", in: "RoleName=R", want: []string{`PolicyNames = ["MixedName"]`}},
		{source: "get echoes the spelling asked", op: "GetRolePolicy", in: "RoleName=R&PolicyName=MIXEDNAME", want: []string{`PolicyName = "MIXEDNAME"`}},
		{source: "delete in any case", op: "DeleteRolePolicy", in: "RoleName=R&PolicyName=MIXEDname"},
		{source: "unknown parameters are ignored", op: "GetRole", in: "RoleName=R&Bogus=1&Tags.member.1.Bogus=2", want: []string{`Role.RoleName = "R"`}},
		{source: "the last of two scalars", op: "GetRole", in: "RoleName=none&RoleName=R", want: []string{`Role.RoleName = "R"`}},
		{source: "a marker twice", op: "CreateRole", in: "RoleName=S&AssumeRolePolicyDocument=" + escapedTrust},
		{source: "a marker twice", op: "ListRoles", in: "MaxItems=1", want: []string{`IsTruncated = "true"`, `Roles.0.RoleName = "R"`}, keep: "MARKER=Marker"},
		{source: "a marker twice", op: "ListRoles", in: "MaxItems=1&Marker=$MARKER", want: []string{`Roles.0.RoleName = "S"`}},
		{source: "another page size", op: "ListRoles", in: "MaxItems=1000&Marker=$MARKER", want: []string{`Roles.0.RoleName = "S"`, `IsTruncated = "false"`, `!Marker`}},
	})
	// AWS's words were not recorded for these.
	for in, code := range map[string]string{
		"ListRoles MaxItems=0": "ValidationError", "ListRoles MaxItems=1001": "ValidationError",
		"ListRoles MaxItems=%20900": "MalformedInput", "ListRoles MaxItems=900.0": "MalformedInput", "ListRoles MaxItems=9e2": "MalformedInput", "ListRoles MaxItems=2147483648": "MalformedInput",
		"TagRole RoleName=R&Tags.member.0.Key=a&Tags.member.0.Value=b":   "MalformedInput",
		"TagRole RoleName=R&Tags.member.-1.Key=a&Tags.member.-1.Value=b": "MalformedInput",
		"TagRole RoleName=R&Tags.member.12.Key=a&Tags.member.12.Value=b": "MalformedInput",
		"TagRole RoleName=R&Tags.member.11.Key=a&Tags.member.11.Value=b": "ValidationError",
		"TagRole RoleName=R&Tags.member.2.Key=a&Tags.member.2.Value=b":   "ValidationError",
		"ListPolicies OnlyAttached=TRUE":                                 "MalformedInput", "ListPolicies OnlyAttached=": "MalformedInput", "ListPolicies OnlyAttached=yes": "MalformedInput",
		"TagRole RoleName=R&Tags=": "InvalidInput",
		"TagRole RoleName=R&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2":      "InvalidInput",
		"TagRole RoleName=R&Tags.member.1.Key=&Tags.member.1.Value=1":                                                 "ValidationError",
		"UpdateRole RoleName=R&MaxSessionDuration=43201":                                                              "ValidationError",
		"UpdateRole RoleName=R&Description=" + strings.Repeat("x", 1001):                                              "ValidationError",
		"CreateRole RoleName=T&Path=/team&AssumeRolePolicyDocument=" + escapedTrust:                                   "ValidationError",
		"CreateRole RoleName=T&Path=team/&AssumeRolePolicyDocument=" + escapedTrust:                                   "ValidationError",
		"CreateRole RoleName=T&Path=//&AssumeRolePolicyDocument=" + escapedTrust:                                      "ValidationError",
		"CreateRole RoleName=T&Path=/a%20b/&AssumeRolePolicyDocument=" + escapedTrust:                                 "ValidationError",
		"CreateRole RoleName=T&Path=/a%7f/&AssumeRolePolicyDocument=" + escapedTrust:                                  "ValidationError",
		"CreateRole RoleName=T&Path=/a%0a/&AssumeRolePolicyDocument=" + escapedTrust:                                  "ValidationError",
		"CreateRole RoleName=T&Path=/%c3%a9/&AssumeRolePolicyDocument=" + escapedTrust:                                "ValidationError",
		"CreateRole RoleName=" + strings.Repeat("r", 65) + "&AssumeRolePolicyDocument=" + escapedTrust:                "ValidationError",
		"DetachRolePolicy RoleName=R&PolicyArn=arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy": "NoSuchEntity",
		"DeleteRolePermissionsBoundary RoleName=R":                                                                    "NoSuchEntity",
	} {
		op, form, _ := strings.Cut(in, " ")
		a := c.call(t, "iam", op, form, nil)
		if got, _ := at(a.value, "Error.Code"); got != code {
			t.Errorf("%s: %v, want %s\n%s", in, got, code, a.body)
		}
		if want := map[bool]int{true: 404, false: 400}[code == "NoSuchEntity"]; a.status != want {
			t.Errorf("%s: status %d", in, a.status)
		}
	}
	long := c.call(t, "iam", "UpdateRole", "RoleName=R&Description="+strings.Repeat("%C3%A9", 1000), nil)
	if long.status != http.StatusOK {
		t.Errorf("a description of 1000 characters: %s", long.body)
	}
}

func TestRecordedPolicies(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	tags := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "&Tags.member.%d.Key=k%d&Tags.member.%d.Value=v", i-from+1, i, i-from+1)
		}
		return b.String()
	}
	c.run(t, "iam", []row{
		{source: "setup", op: "CreatePolicy", in: "PolicyName=p&PolicyDocument=" + document(statement("Allow", "*", "")), keep: "POLICY=Policy.Arn"},
		{source: "setup", op: "CreateRole", in: "RoleName=R&PermissionsBoundary=$POLICY&AssumeRolePolicyDocument=" + escapedTrust},
		{source: "boundary uses are not attachments", op: "GetPolicy", in: "PolicyArn=$POLICY", want: []string{`Policy.AttachmentCount = "0"`, `Policy.PermissionsBoundaryUsageCount = "1"`}},
		{source: "tag keys of policies are case-sensitive", op: "TagPolicy", in: "PolicyArn=$POLICY&Tags.member.1.Key=team&Tags.member.1.Value=1&Tags.member.2.Key=Team&Tags.member.2.Value=2"},
		{source: "tag keys of policies are case-sensitive", op: "ListPolicyTags", in: "PolicyArn=$POLICY", want: []string{`Tags.# = 2`}},
		{source: "fifty tags", op: "TagRole", in: "RoleName=R" + tags(0, 50)},
		{source: "untagging nothing", op: "UntagRole", in: "RoleName=R&TagKeys.member.1=nothing"},
		{source: "an absent boundary", op: "DeleteRolePermissionsBoundary", in: "RoleName=R"},
	})
	for in, code := range map[string]string{"RoleName=R" + tags(50, 51): "LimitExceeded", "RoleName=R" + tags(0, 51): "ValidationError"} {
		if a := c.call(t, "iam", "TagRole", in, nil); !strings.Contains(a.body, "<Code>"+code+"</Code>") {
			t.Errorf("%s: %s", code, a.body)
		}
	}
}

func TestRecordedCaller(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.run(t, "sts", []row{{source: "order", op: "GetCallerIdentity", want: []string{
		`raw ~ (?s)^<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <GetCallerIdentityResult>\n    <Arn>arn:aws:iam::$ACCOUNT:root</Arn>\n    <UserId>$ACCOUNT</UserId>\n    <Account>$ACCOUNT</Account>\n`}}})
	a := c.call(t, "sts", "GetCallerIdentity", "", nil)
	if id := a.header.Get("x-amz-sts-extended-request-id"); !regexp.MustCompile(`^[A-Za-z0-9+/]+=*$`).MatchString(id) {
		t.Errorf("extended request id %q", id)
	}
	trusting := strings.Replace(escapedTrust, "%22Service%22%3A%22ecs-tasks.amazonaws.com%22", "%22AWS%22%3A%22"+c.vars["ACCOUNT"]+"%22", 1)
	policy := "&Policy=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22ecs%3AListClusters%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"
	c.run(t, "iam", []row{
		{source: "setup", op: "CreateRole", in: "RoleName=R&AssumeRolePolicyDocument=" + trusting, keep: "ROLE=Role.Arn"},
		{source: "setup", op: "CreateUser", in: "UserName=u"},
		{source: "setup", op: "PutUserPolicy", in: "UserName=u&PolicyName=p&PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22sts%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"},
		{source: "setup", op: "CreateAccessKey", in: "UserName=u", keep: "KEY=AccessKey.AccessKeyId SECRET=AccessKey.SecretAccessKey"},
	})
	user := c.in("us-east-1")
	user.vars["AWS_ACCESS_KEY_ID"], user.vars["AWS_SECRET_ACCESS_KEY"] = c.vars["KEY"], c.vars["SECRET"]
	c.run(t, "iam", []row{{source: "setup", op: "PutUserPolicy", in: "UserName=u&PolicyName=g&PolicyDocument=" + document(statement("Allow", "iam:GetUser", ""))}})
	user.run(t, "iam", []row{{source: "GetUser without a name is the caller", op: "GetUser", want: []string{`User.UserName = "u"`, `User.UserId ~ ^AIDA[A-Z0-9]{17}$$`}}})
	user.run(t, "sts", []row{
		{source: "no PackedPolicySize without a session policy", op: "AssumeRole", in: "RoleSessionName=ss&RoleArn=$ROLE", want: []string{`!PackedPolicySize`, `AssumedRoleUser.Arn = "arn:aws:sts::$ACCOUNT:assumed-role/R/ss"`, `AssumedRoleUser.AssumedRoleId ~ ^AROA[A-Z0-9]{17}:ss$$`}},
		{source: "PackedPolicySize with one", op: "AssumeRole", in: "RoleSessionName=ss&RoleArn=$ROLE" + policy, want: []string{`PackedPolicySize`}},
	})
}

func TestRecordedLogs(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const (
		arn      = "arn:aws:logs:us-east-1:$ACCOUNT:log-group:/g"
		noGroup  = "ResourceNotFoundException: The specified log group does not exist."
		noStream = "ResourceNotFoundException: The specified log stream does not exist."
	)
	c.run(t, "logs", []row{
		{source: "create", op: "CreateLogGroup", in: `{"logGroupName":"/g"}`},
		{source: "duplicate group", op: "CreateLogGroup", in: `{"logGroupName":"/g"}`, fails: "ResourceAlreadyExistsException: The specified log group already exists"},
		{source: "create", op: "CreateLogStream", in: `{"logGroupName":"/g","logStreamName":"s"}`},
		{source: "duplicate stream", op: "CreateLogStream", in: `{"logGroupName":"/g","logStreamName":"s"}`, fails: "ResourceAlreadyExistsException: The specified log stream already exists"},
		{source: "the group before the stream", op: "CreateLogStream", in: `{"logGroupName":"none","logStreamName":"s"}`, fails: noGroup},
		{source: "the group before the stream", op: "DeleteLogStream", in: `{"logGroupName":"none","logStreamName":"none"}`, fails: noGroup},
		{source: "missing stream", op: "DeleteLogStream", in: `{"logGroupName":"/g","logStreamName":"none"}`, fails: noStream},
		{source: "missing group", op: "DeleteLogGroup", in: `{"logGroupName":"none"}`, fails: noGroup},
		{source: "missing group", op: "DescribeLogStreams", in: `{"logGroupName":"none"}`, fails: noGroup},
		{source: "missing group", op: "PutRetentionPolicy", in: `{"logGroupName":"none","retentionInDays":7}`, fails: noGroup},
		{source: "a group", op: "DescribeLogGroups", want: []string{
			`raw ~ ^{"logGroups":\[{"arn":"` + arn + `:\*","bearerTokenAuthenticationEnabled":false,"creationTime":[0-9]{13},"deletionProtectionEnabled":false,"logGroupArn":"` + arn + `","logGroupClass":"STANDARD","logGroupName":"/g","metricFilterCount":0,"storedBytes":0}\]}$$`}},
		{source: "a stream before data", op: "DescribeLogStreams", in: `{"logGroupName":"/g"}`, want: []string{
			`raw ~ ^{"logStreams":\[{"arn":"` + arn + `:log-stream:s","creationTime":[0-9]{13},"logStreamName":"s","storedBytes":0}\]}$$`}},
		{source: "retention when set", op: "PutRetentionPolicy", in: `{"logGroupName":"/g","retentionInDays":7}`},
		{source: "retention when set", op: "DescribeLogGroups", want: []string{`logGroups.0.retentionInDays = 7`}},
		{source: "DeleteRetentionPolicy twice", op: "DeleteRetentionPolicy", in: `{"logGroupName":"/g"}`},
		{source: "DeleteRetentionPolicy twice", op: "DeleteRetentionPolicy", in: `{"logGroupName":"/g"}`},
		{source: "tagging merges", op: "TagResource", in: `{"resourceArn":"` + arn + `","tags":{"a":"1"}}`},
		{source: "tagging merges", op: "TagResource", in: `{"resourceArn":"` + arn + `","tags":{"b":"2"}}`},
		{source: "untagging a missing key", op: "UntagResource", in: `{"resourceArn":"` + arn + `","tagKeys":["zzz"]}`},
		{source: "tagging merges", op: "ListTagsForResource", in: `{"resourceArn":"` + arn + `"}`, want: []string{`tags = {"a":"1","b":"2"}`}},
	})
	c.vars["AWS_ACCESS_KEY_ID"] = "AKIAIOSFODNN7EXAMPLE"
	c.run(t, "logs", []row{{source: "unknown key", op: "DescribeLogGroups", fails: "UnrecognizedClientException: The security token included in the request is invalid."}})
}

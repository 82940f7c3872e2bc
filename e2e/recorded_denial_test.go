package e2e

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// document is a policy of the statements, percent-encoded.
func document(statements ...string) string {
	return url.QueryEscape(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
}

func statement(effect, action, condition string) string {
	s := map[string]any{"Effect": effect, "Action": action, "Resource": "*"}
	if condition != "" {
		s["Condition"] = json.RawMessage(condition)
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// user makes a user with a policy of the statements and returns its client.
func (c *client) user(t *testing.T, name string, statements ...string) *client {
	t.Helper()
	c.run(t, "iam", []row{
		{op: "CreateUser", in: "UserName=" + name},
		{op: "CreateAccessKey", in: "UserName=" + name, keep: "KEY=AccessKey.AccessKeyId SECRET=AccessKey.SecretAccessKey"},
	})
	if len(statements) > 0 {
		c.run(t, "iam", []row{{op: "PutUserPolicy", in: "PolicyName=p&UserName=" + name + "&PolicyDocument=" + document(statements...)}})
	}
	u := c.in("us-east-1")
	u.vars["AWS_ACCESS_KEY_ID"], u.vars["AWS_SECRET_ACCESS_KEY"] = c.vars["KEY"], c.vars["SECRET"]
	return u
}

func TestRecordedDenials(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const (
		who     = "User: arn:aws:iam::$ACCOUNT:user/"
		stream  = "arn:aws:logs:us-east-1:$ACCOUNT:log-group:/g:log-stream:s"
		session = "AccessDeniedException: User: arn:aws:sts::$ACCOUNT:assumed-role/R/ss is not authorized to perform: "
		create  = `{"logGroupName":"/g","logStreamName":"s"}`
	)
	c.user(t, "none").run(t, "logs", []row{{source: "no identity permission", op: "CreateLogStream", in: create,
		fails: "AccessDeniedException: " + who + "none is not authorized to perform: logs:CreateLogStream on resource: " + stream + " because no identity-based policy allows the logs:CreateLogStream action"}})
	denied := c.user(t, "denied", statement("Allow", "*", ""), statement("Deny", "logs:*", ""))
	denied.run(t, "logs", []row{{source: "explicit deny", op: "CreateLogStream", in: create,
		fails: "AccessDeniedException: " + who + "denied is not authorized to perform: logs:CreateLogStream on resource: " + stream + " with an explicit deny in an identity-based policy"}})
	tagger := c.user(t, "tagger")
	tagger.run(t, "iam", []row{{source: "permission before reserved keys", op: "TagRole", in: "RoleName=R&Tags.member.1.Key=aws:x&Tags.member.1.Value=1", code: 403,
		fails: "AccessDenied: " + who + "tagger is not authorized to perform: iam:TagRole on resource: arn:aws:iam::$ACCOUNT:role/R because no identity-based policy allows the iam:TagRole action"}})
	if a := tagger.call(t, "iam", "ListRoles", "MaxItems=0", nil); !strings.Contains(a.body, "<Code>ValidationError</Code>") {
		t.Errorf("modelled constraints before permission: %s", a.body)
	}
	tagger.run(t, "ecs", []row{{source: "RunTask is evaluated on the definition", op: "RunTask", in: `{"taskDefinition":"${ECS}task-definition/app:1"}`,
		fails: "AccessDeniedException: " + who + "tagger is not authorized to perform: ecs:RunTask on resource: ${ECS}task-definition/app:1 because no identity-based policy allows the ecs:RunTask action"}})
	if a := tagger.call(t, "ecs", "RunTask", `{"taskDefinition":1}`, nil); !strings.Contains(a.body, "SerializationException") {
		t.Errorf("wrong type before permission: %s", a.body)
	}
	trusting := url.QueryEscape(c.expand(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"$ACCOUNT"},"Action":"sts:AssumeRole"}]}`))
	c.run(t, "iam", []row{
		{op: "CreateRole", in: "RoleName=R&AssumeRolePolicyDocument=" + trusting},
		{op: "PutRolePolicy", in: "RoleName=R&PolicyName=p&PolicyDocument=" + document(statement("Allow", "*", ""))},
	})
	for name, tt := range map[string]struct{ policy, fails string }{
		"explicit": {document(statement("Allow", "*", ""), statement("Deny", "logs:*", "")), "logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:$ACCOUNT:log-group::log-stream: with an explicit deny in a session policy"},
		"implicit": {document(statement("Allow", "ecs:*", "")), "logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:$ACCOUNT:log-group::log-stream: because no session policy allows the logs:DescribeLogGroups action"},
	} {
		s := c.user(t, name, statement("Allow", "sts:*", ""))
		s.run(t, "sts", []row{{op: "AssumeRole", in: "RoleSessionName=ss&RoleArn=arn:aws:iam::$ACCOUNT:role/R&Policy=" + tt.policy, keep: "ID=Credentials.AccessKeyId KEY=Credentials.SecretAccessKey TOKEN=Credentials.SessionToken"}})
		s.vars["AWS_ACCESS_KEY_ID"], s.vars["AWS_SECRET_ACCESS_KEY"], s.vars["AWS_SESSION_TOKEN"] = s.vars["ID"], s.vars["KEY"], s.vars["TOKEN"]
		s.run(t, "logs", []row{{source: name + " session policy", op: "DescribeLogGroups", fails: session + tt.fails}})
	}
}

// TestRecordedForwardedRole holds how CreateCluster makes the service-linked role
// in the caller's name.
func TestRecordedForwardedRole(t *testing.T) {
	t.Parallel()
	const missing = "NoSuchEntity: The role with name AWSServiceRoleForECS cannot be found."
	for name, tt := range map[string]struct {
		statements []string
		made       bool
	}{
		"denied":         {[]string{statement("Allow", "ecs:*", "")}, false},
		"ViaAWSService":  {[]string{statement("Allow", "ecs:*", ""), statement("Allow", "iam:CreateServiceLinkedRole", `{"Bool":{"aws:ViaAWSService":"true"}}`)}, true},
		"CalledVia":      {[]string{statement("Allow", "ecs:*", ""), statement("Allow", "iam:CreateServiceLinkedRole", `{"ForAnyValue:StringEquals":{"aws:CalledVia":"ecs.amazonaws.com"}}`)}, true},
		"CalledViaOther": {[]string{statement("Allow", "ecs:*", ""), statement("Allow", "iam:CreateServiceLinkedRole", `{"ForAnyValue:StringEquals":{"aws:CalledVia":"ec2.amazonaws.com"}}`)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			u := c.user(t, "u", tt.statements...)
			u.run(t, "ecs", []row{{source: "200 and ACTIVE in any case", op: "CreateCluster", want: []string{`cluster.status = "ACTIVE"`}}})
			look := row{source: "the role", op: "GetRole", in: "RoleName=AWSServiceRoleForECS"}
			if !tt.made {
				look.code, look.fails = 404, missing
			}
			c.run(t, "iam", []row{look})
			if a := u.call(t, "iam", "CreateServiceLinkedRole", "AWSServiceName=ecs.amazonaws.com", nil); a.status != 403 {
				t.Errorf("the direct call: %s", a.body)
			}
		})
	}
}

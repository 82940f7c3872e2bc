package e2e

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// paged is an operation that answers in pages: how its token is called in
// requests and, as a path, in answers, and a request for the first of two pages,
// "" where a new account has no more than one.
type paged struct{ service, op, token, first string }

// pagedOperations are all of them.
var pagedOperations = []paged{
	{"ecs", "ListClusters", "nextToken", `{"maxResults":1}`},
	{"ecs", "ListContainerInstances", "nextToken", `{"maxResults":1,"cluster":"web"}`},
	{"ecs", "ListAttributes", "nextToken", `{"maxResults":1,"cluster":"web","targetType":"container-instance"}`},
	{"ecs", "ListTaskDefinitionFamilies", "nextToken", `{"maxResults":1}`},
	{"ecs", "ListTaskDefinitions", "nextToken", `{"maxResults":1}`},
	{"ecs", "ListTasks", "nextToken", `{"maxResults":1,"cluster":"web"}`},
	{"ecs", "ListServices", "nextToken", `{"maxResults":1,"cluster":"web"}`},
	{"ecs", "ListServiceDeployments", "nextToken", `{"maxResults":1,"cluster":"web","service":"a"}`},
	{"ecs", "ListServicesByNamespace", "nextToken", ``},
	{"ecs", "ListAccountSettings", "nextToken", `{"maxResults":1,"effectiveSettings":true}`},
	{"ecs", "DescribeCapacityProviders", "nextToken", `{"maxResults":1}`},
	{"logs", "DescribeLogGroups", "nextToken", `{"limit":1}`},
	{"logs", "DescribeLogStreams", "nextToken", `{"limit":1,"logGroupName":"a"}`},
	{"ec2", "DescribeDhcpOptions", "NextToken", ""},
	{"ec2", "DescribeInternetGateways", "NextToken", ""},
	{"ec2", "DescribeNetworkAcls", "NextToken", ""},
	{"ec2", "DescribeNetworkInterfaces", "NextToken", "MaxResults=5"},
	{"ec2", "DescribeRouteTables", "NextToken", ""},
	{"ec2", "DescribeSecurityGroupRules", "NextToken", "MaxResults=5"},
	{"ec2", "DescribeSecurityGroups", "NextToken", "MaxResults=5"},
	{"ec2", "DescribeSubnets", "NextToken", "MaxResults=5"},
	{"ec2", "DescribeTags", "NextToken", "MaxResults=5"},
	{"ec2", "DescribeVpcs", "NextToken", ""},
	{"iam", "ListRoles", "Marker", "MaxItems=1"},
	{"iam", "ListUsers", "Marker", "MaxItems=1"},
	{"iam", "ListPolicies", "Marker", "MaxItems=1"},
	{"iam", "ListRoleTags", "Marker", "MaxItems=1&RoleName=a"},
	{"iam", "ListRolePolicies", "Marker", "MaxItems=1&RoleName=a"},
	{"iam", "ListAttachedRolePolicies", "Marker", "MaxItems=1&RoleName=a"},
}

// furnish gives an account two of everything, in one region.
func (c *client) furnish(t *testing.T) {
	t.Helper()
	c.services(t)
	allow := "PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"
	ecs := []row{{op: "CreateCluster", in: `{"clusterName":"b"}`}}
	var ec2, iam, logs []row
	for _, n := range []string{"a", "b"} {
		ecs = append(ecs,
			row{op: "CreateService", in: `{"cluster":"web","serviceName":"` + n + `","taskDefinition":"ec2","desiredCount":0}`},
			row{op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE",$NETWORK}`, keep: "TASK=tasks.0.taskArn"},
			row{op: "RegisterContainerInstance", in: `{"cluster":"web","instanceIdentityDocument":"{\"instanceId\":\"i-1\"}","instanceIdentityDocumentSignature":"s","attributes":[{"name":"x"},{"name":"y"}]}`, keep: "INSTANCE=containerInstance.containerInstanceArn"})
		logs = append(logs, row{op: "CreateLogGroup", in: `{"logGroupName":"` + n + `"}`}, row{op: "CreateLogStream", in: `{"logGroupName":"a","logStreamName":"` + n + `"}`})
		iam = append(iam,
			row{op: "CreateRole", in: "RoleName=" + n + "&AssumeRolePolicyDocument=" + escapedTrust}, row{op: "CreateUser", in: "UserName=" + n},
			row{op: "CreatePolicy", in: "PolicyName=" + n + "&" + allow, keep: "POLICY=Policy.Arn"},
			row{op: "TagRole", in: "RoleName=a&Tags.member.1.Value=1&Tags.member.1.Key=" + n},
			row{op: "PutRolePolicy", in: "RoleName=a&PolicyName=" + n + "&" + allow}, row{op: "AttachRolePolicy", in: "RoleName=a&PolicyArn=$POLICY"})
	}
	for _, n := range strings.Fields("a b c d e f") {
		ec2 = append(ec2,
			row{op: "CreateSecurityGroup", in: "GroupName=" + n + "&GroupDescription=d&VpcId=$VPC", keep: "GROUP=groupId"},
			row{op: "CreateTags", in: "ResourceId.1=$GROUP&Tag.1.Key=a&Tag.1.Value=1"},
			row{op: "CreateNetworkInterface", in: "SubnetId=$SUBNET", keep: "ENI=networkInterface.networkInterfaceId"})
	}
	c.run(t, "ecs", append(ecs, row{op: "UpdateService", in: `{"cluster":"web","service":"a","forceNewDeployment":true}`}))
	c.run(t, "ec2", ec2)
	c.run(t, "iam", iam)
	c.run(t, "logs", logs)
}

// with is the request with its pagination token.
func (p paged) with(token string) string {
	if !strings.HasPrefix(p.first, "{") && (p.service == "ec2" || p.service == "iam") {
		return strings.TrimPrefix(p.first+"&"+p.token+"="+token, "&")
	}
	in := p.first
	if in == "" {
		in = `{"namespace":"n"}`
	}
	return strings.TrimSuffix(in, "}") + `,"` + p.token + `":"` + token + `"}`
}

// refuses checks that the operation refuses a token with its service's error.
func (p paged) refuses(t *testing.T, c *client, why, token string) {
	t.Helper()
	a := c.call(t, p.service, p.op, p.with(token), nil)
	code := map[string]string{"ecs": "InvalidParameterException", "logs": "InvalidParameterException", "ec2": "InvalidParameterValue", "iam": "ValidationError"}[p.service]
	if a.status != 400 || !strings.Contains(a.body, code) {
		t.Errorf("%s with a token %s: %d %s", p.op, why, a.status, a.body)
	}
}

// TestRecordedPageTokens holds that no operation takes a token that it did not
// give out for the same account, region and operation.
func TestRecordedPageTokens(t *testing.T) {
	t.Parallel()
	mine, other := newClient(t), newClient(t)
	mine.furnish(t)
	other.furnish(t)
	elsewhere := mine.in("eu-west-1")
	elsewhere.furnishElsewhere(t)
	tokens := map[string]string{}
	for _, p := range pagedOperations {
		if p.first == "" {
			continue
		}
		a := mine.call(t, p.service, p.op, p.first, nil)
		token, ok := at(a.value, map[string]string{"NextToken": "nextToken"}[p.token])
		if p.token != "NextToken" {
			token, ok = at(a.value, p.token)
		}
		if !ok {
			t.Errorf("%s: no second page: %s", p.op, a.body)
			continue
		}
		tokens[p.op] = fmt.Sprint(token)
		if next := mine.call(t, p.service, p.op, p.with(tokens[p.op]), nil); next.status != 200 {
			t.Errorf("%s: second page: %s", p.op, next.body)
		}
	}
	for _, p := range pagedOperations {
		p.refuses(t, mine, "of nobody", "bogus")
		for op, token := range tokens {
			// Tokens of ListTaskDefinitions were recorded to be plain text.
			if op != p.op && op != "ListTaskDefinitions" && p.op != "ListTaskDefinitions" {
				p.refuses(t, mine, "of "+op, token)
			}
		}
		token, ok := tokens[p.op]
		if !ok || p.op == "ListTaskDefinitions" {
			continue
		}
		for i := 0; i < len(token); i += 7 {
			changed := []byte(token)
			changed[i] = map[bool]byte{true: 'B', false: 'A'}[changed[i] == 'A']
			if !bytes.Equal(changed, []byte(token)) {
				p.refuses(t, mine, "changed", string(changed))
			}
		}
		p.refuses(t, mine, "cut short", token[:len(token)-1])
		p.refuses(t, other, "of another account", token)
		if p.service != "iam" {
			p.refuses(t, elsewhere, "of another region", token)
		}
	}
}

// furnishElsewhere gives another region what requests with tokens name.
func (c *client) furnishElsewhere(t *testing.T) {
	t.Helper()
	c.services(t)
	c.run(t, "ecs", []row{{op: "CreateService", in: `{"cluster":"web","serviceName":"a","taskDefinition":"ec2","desiredCount":0}`}})
	c.run(t, "logs", []row{{op: "CreateLogGroup", in: `{"logGroupName":"a"}`}})
}

// TestRecordedPageSizes holds the bounds of maxResults of every ECS list.
func TestRecordedPageSizes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	c.run(t, "ecs", []row{{op: "CreateService", in: `{"cluster":"web","serviceName":"a","taskDefinition":"ec2","desiredCount":0}`}})
	size := regexp.MustCompile(`"maxResults":1`)
	for _, p := range pagedOperations {
		if p.service != "ecs" {
			continue
		}
		first := p.first
		if first == "" {
			first = `{"maxResults":1,"namespace":"n"}`
		}
		for n, want := range map[string]string{"0": "InvalidParameterException", "-1": "InvalidParameterException", "101": "InvalidParameterException: Max results can not be greater than 100", "100": ""} {
			a := c.call(t, "ecs", p.op, size.ReplaceAllString(first, `"maxResults":`+n), nil)
			code, _ := at(a.value, "__type")
			message, _ := at(a.value, "message")
			if got := fmt.Sprintf("%v: %v", code, message); want != "" && !strings.HasPrefix(got, want) || want == "" && p.first != "" && a.status != 200 {
				t.Errorf("%s of %s: %s", p.op, n, a.body)
			}
		}
	}
}

// TestRecordedTenants holds that an account sees nothing of another, nor a region
// of another, by listing or by naming what is there.
func TestRecordedTenants(t *testing.T) {
	t.Parallel()
	mine := newClient(t)
	mine.furnish(t)
	other := newClient(t)
	ids := regexp.MustCompile(`[a-z]+-[0-9a-f]{17}`)
	for name, c := range map[string]*client{"account": other, "region": mine.in("eu-west-1")} {
		seen := map[string]bool{}
		for _, p := range pagedOperations {
			if p.service != "ec2" {
				continue
			}
			for _, id := range ids.FindAllString(mine.call(t, "ec2", p.op, "", nil).body, -1) {
				seen[id] = true
			}
		}
		for _, p := range pagedOperations {
			if p.service != "ec2" {
				continue
			}
			for _, id := range ids.FindAllString(c.call(t, "ec2", p.op, "", nil).body, -1) {
				if seen[id] {
					t.Errorf("another %s: %s shows %s", name, p.op, id)
				}
			}
		}
		c.vars["TASK"], c.vars["INSTANCE"], c.vars["POLICY"], c.vars["ENI"] = mine.vars["TASK"], mine.vars["INSTANCE"], mine.vars["POLICY"], mine.vars["ENI"]
		c.vars["CLUSTER"], c.vars["SUBNET"] = mine.vars["ECS"]+"cluster/web", mine.vars["SUBNET"]
		c.run(t, "ecs", []row{
			{source: name, op: "ListClusters", want: []string{`clusterArns = []`}},
			{source: name, op: "ListTaskDefinitions", want: []string{`taskDefinitionArns = []`}},
			{source: name, op: "ListTaskDefinitionFamilies", want: []string{`families = []`}},
			{source: name, op: "DescribeClusters", in: `{"clusters":["web"]}`, want: []string{`clusters = []`, `failures.# = 1`}},
			{source: name, op: "DescribeTaskDefinition", in: `{"taskDefinition":"app"}`, fails: "ClientException: Unable to describe task definition."},
			{source: name, op: "CreateCluster", in: `{"clusterName":"web"}`},
			{source: name, op: "ListTasks", in: `{"cluster":"web"}`, want: []string{`taskArns = []`}},
			{source: name, op: "ListServices", in: `{"cluster":"web"}`, want: []string{`serviceArns = []`}},
			{source: name, op: "ListContainerInstances", in: `{"cluster":"web"}`, want: []string{`containerInstanceArns = []`}},
			{source: name, op: "ListAttributes", in: `{"cluster":"web","targetType":"container-instance"}`, want: []string{`attributes = []`}},
			{source: name, op: "DescribeServices", in: `{"cluster":"web","services":["a"]}`, want: []string{`services = []`, `failures.0.reason = "MISSING"`}},
			{source: name, op: "DeleteCluster", in: `{"cluster":"web"}`, want: []string{`cluster.status = "INACTIVE"`}},
		})
		for op, in := range map[string]string{
			"DescribeTasks": `{"cluster":"$CLUSTER","tasks":["$TASK"]}`, "StopTask": `{"cluster":"$CLUSTER","task":"$TASK"}`, "DeleteCluster": `{"cluster":"$CLUSTER"}`,
			"UpdateService": `{"cluster":"$CLUSTER","service":"a","desiredCount":1}`, "ListTagsForResource": `{"resourceArn":"$TASK"}`, "DescribeClusters": `{"clusters":["$CLUSTER"]}`,
			"TagResource": `{"resourceArn":"$CLUSTER","tags":[{"key":"x","value":"y"}]}`, "DeregisterContainerInstance": `{"cluster":"$CLUSTER","containerInstance":"$INSTANCE"}`,
		} {
			if a := c.call(t, "ecs", op, c.expand(in), nil); a.status != 400 {
				t.Errorf("another %s: %s reaches across: %s", name, op, a.body)
			}
		}
		c.run(t, "ec2", []row{
			{source: name, op: "DescribeSubnets", in: "SubnetId.1=$SUBNET", fails: "InvalidSubnetID.NotFound: The subnet ID '$SUBNET' does not exist"},
			{source: name, op: "DescribeTags", want: []string{`tagSet = ""`}},
		})
		c.run(t, "logs", []row{
			{source: name, op: "DescribeLogGroups", want: []string{`logGroups = []`}},
			{source: name, op: "DescribeLogStreams", in: `{"logGroupName":"a"}`, fails: "ResourceNotFoundException: The specified log group does not exist."},
		})
	}
	other.run(t, "iam", []row{
		{source: "account", op: "ListUsers", want: []string{`Users = ""`}},
		{source: "account", op: "GetRole", in: "RoleName=a", code: 404, fails: "NoSuchEntity: The role with name a cannot be found."},
		{source: "account", op: "ListPolicies", in: "Scope=Local", want: []string{`Policies = ""`}},
		{source: "account", op: "GetPolicy", in: "PolicyArn=$POLICY", code: 404, fails: "NoSuchEntity: Policy $POLICY was not found."},
	})
	mine.in("eu-west-1").run(t, "iam", []row{{source: "one IAM for all regions", op: "GetRole", in: "RoleName=a"}})
}

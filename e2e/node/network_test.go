package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// peer runs a guest in security groups and returns its addresses. It can be asked
// at port 8080 from the host.
func (c *tenant) peer(t *testing.T, groups ...string) (private, public string) {
	t.Helper()
	arn := c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{
		guestContainer("main", "serve", ":8080"), guestContainer("web", "serve", ":80")}})), NetworkConfiguration: c.place(groups...)})
	return c.addresses(t, c.running(t, arn))
}

// reachable waits until an address is as wanted when dialed from a guest.
func reachable(t *testing.T, from, to, want string) {
	t.Helper()
	said := ""
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if said, err = story.Ask(from, "dial", to, "700ms"); err == nil && strings.HasPrefix(said, want) {
			return
		}
	}
	t.Fatalf("%s finds %s not %s but %s %v", from, to, want, said, err)
}

// securityGroups: nothing comes in that no rule lets in; a change holds at once
// for tasks that run.
func securityGroups(t *testing.T, c *tenant) {
	web := c.group(t, "web")
	_, public := c.peer(t, web)
	if said, err := story.Fetch("http://" + public + "/"); err == nil {
		t.Fatalf("a group without rules let something in: %q", said)
	}
	rule := tcp(80, "0.0.0.0/0")
	c.allow(t, web, rule)
	answers(t, public)
	if _, err := story.Fetch("http://" + public + ":8080/"); err == nil {
		t.Error("another port is open too")
	}
	_, err := c.ec2.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(web), IpPermissions: []ec2types.IpPermission{rule}})
	ok(t, err)
	eventually(t, "the port closes", func() bool { _, err := story.Fetch("http://" + public + "/"); return err != nil })

	// Two groups add up; the account's default group lets only its members in.
	c.allow(t, web, tcp(80, "192.0.2.1/32"))
	_, both := c.peer(t, web, c.open)
	answers(t, both)
}

// groupReference: a group as the source of a rule means its members, wherever
// they are.
func groupReference(t *testing.T, c *tenant) {
	front, back := c.group(t, "front"), c.group(t, "back")
	for _, g := range []string{front, back} {
		c.allow(t, g, tcp(8080, "0.0.0.0/0"))
	}
	c.allow(t, back, ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80),
		UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: aws.String(front)}}})
	server, _ := c.peer(t, back)
	_, member := c.peer(t, front)
	_, other := c.peer(t, back)
	answers(t, member+":8080")
	answers(t, other+":8080")
	reachable(t, member+":8080", server+":80", "open")
	reachable(t, other+":8080", server+":80", "silent")
	reachable(t, member+":8080", server+":81", "silent")
	reachable(t, other+":8080", server+":8080", "open")
}

// egress: a group that lets nothing out lets answers out only.
func egress(t *testing.T, c *tenant) {
	tight := c.group(t, "tight")
	c.allow(t, tight, tcp(8080, "0.0.0.0/0"))
	target, _ := c.peer(t, c.open)
	_, inside := c.peer(t, tight)
	answers(t, inside+":8080")
	reachable(t, inside+":8080", target+":80", "open")
	all := ec2types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}
	_, err := c.ec2.RevokeSecurityGroupEgress(t.Context(), &ec2.RevokeSecurityGroupEgressInput{GroupId: aws.String(tight), IpPermissions: []ec2types.IpPermission{all}})
	ok(t, err)
	reachable(t, inside+":8080", target+":80", "silent")
	_, err = c.ec2.AuthorizeSecurityGroupEgress(t.Context(), &ec2.AuthorizeSecurityGroupEgressInput{GroupId: aws.String(tight), IpPermissions: []ec2types.IpPermission{tcp(80, target+"/32")}})
	ok(t, err)
	reachable(t, inside+":8080", target+":80", "open")
	reachable(t, inside+":8080", target+":8080", "silent")
}

// names: the VPC's resolver knows the private names, and tasks are set up to ask it.
func names(t *testing.T, c *tenant) {
	_, private, public := c.server(t, definition{})
	name := "ip-" + strings.ReplaceAll(private, ".", "-") + ".ec2.internal"
	for _, q := range []struct{ ask, want string }{{name, private}, {strings.TrimSuffix(name, ".ec2.internal"), private}, {"localhost", "127.0.0.1"}} {
		if got := ask(t, public, "resolve", q.ask); !slices.Contains(strings.Fields(got), q.want) {
			t.Errorf("%s is %s, want %s", q.ask, got, q.want)
		}
	}
	if got := ask(t, public, "resolve", "nosuch.ec2.internal"); !strings.Contains(got, "no such host") {
		t.Errorf("an unknown name: %s", got)
	}
	conf := ask(t, public, "read", "/etc/resolv.conf")
	if !strings.Contains(conf, "nameserver 172.31.0.2") || !strings.Contains(conf, "search ec2.internal") {
		t.Errorf("resolv.conf:\n%s", conf)
	}
	if hosts := ask(t, public, "read", "/etc/hosts"); !strings.Contains(hosts, private) || !strings.Contains(hosts, "127.0.0.1") {
		t.Errorf("hosts:\n%s", hosts)
	}
}

// metadata: the endpoint tells a container about itself and its task.
func metadata(t *testing.T, c *tenant) {
	arn, private, public := c.server(t, definition{})
	for path, wants := range map[string][]string{
		"":       {`"Name":"main"`, `"Image":"public.ecr.aws/neargate/guest:latest"`, `"IPv4Addresses":["` + private + `"]`, `"KnownStatus":"RUNNING"`},
		"/task":  {`"TaskARN":"` + arn + `"`, `"Limits":{"CPU":0.25,"Memory":512}`, `"LaunchType":"FARGATE"`, `"EphemeralStorageMetrics":`},
		"/stats": {`"memory_stats":`, `"cpu_stats":`},
	} {
		var said string
		eventually(t, "metadata "+path, func() bool {
			said = ask(t, public, "metadata", path)
			return strings.HasPrefix(said, "200\n")
		})
		for _, want := range wants {
			if !strings.Contains(said, want) {
				t.Errorf("metadata %s lacks %s:\n%s", path, want, said)
			}
		}
	}
	if said := ask(t, public, "metadata", "/nosuch"); !strings.HasPrefix(said, "404") {
		t.Errorf("%s", said)
	}
}

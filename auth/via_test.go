package auth

import (
	"errors"
	"strings"
	"testing"

	"neargate/resource/identity"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables/edges"
)

// TestEndpointPolicy decides about calls that come through a VPC endpoint with a
// policy, by who needs permissions and who needs none.
func TestEndpointPolicy(t *testing.T) {
	const (
		describe = "because no VPC endpoint policy allows the ecs:DescribeClusters action"
		whoAmI   = "because no VPC endpoint policy allows the sts:GetCallerIdentity action"
		denied   = "with an explicit deny in a VPC endpoint policy"
	)
	one := func(effect, action, more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":"*","Action":"` + action + `","Resource":"*"` + more + `}]}`
	}
	ecs, sts := Call{Service: "ecs", Operation: "DescribeClusters", Input: &cluster{}}, Call{Service: "sts", Operation: "GetCallerIdentity"}
	pass := Call{Service: "ecs", Operation: "RegisterTaskDefinition", Input: &struct{ TaskRoleArn *string }{new("arn:aws:iam::123456789012:role/app")}}
	tests := []struct {
		name, caller, policy string
		call                 Call
		want                 string
	}{
		{"full access", "alice", "", ecs, ""},
		{"allowed", "alice", one("Allow", "ecs:*", ""), ecs, ""},
		{"not allowed", "alice", one("Allow", "ecr:*", ""), ecs, describe},
		{"denied", "alice", one("Deny", "ecs:Describe*", ""), ecs, denied},
		{"of another caller", "alice", strings.Replace(one("Allow", "*", ""), `"*"`, `{"AWS":"arn:aws:iam::123456789012:root"}`, 1), ecs, ""},
		{"of another account", "alice", strings.Replace(one("Allow", "*", ""), `"*"`, `{"AWS":"999999999999"}`, 1), ecs, describe},
		{"root not allowed", "root", one("Allow", "ecr:*", ""), ecs, describe},
		{"root allowed", "root", one("Allow", "ecs:*", ""), ecs, ""},
		{"what needs no permission", "alice", one("Allow", "sts:*", ""), sts, ""},
		{"what needs no permission, not allowed", "alice", one("Allow", "sts:AssumeRole", ""), sts, whoAmI},
		{"what the service checks besides", "alice", one("Allow", "ecs:*", ""), pass, ""},
		{"the endpoint's VPC", "alice", one("Allow", "*", `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1","aws:SourceVpce":"vpce-1"},"IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"},"Null":{"aws:SourceIp":"true"}}`), ecs, ""},
		{"another VPC", "alice", one("Allow", "*", `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-2"}}`), ecs, describe},
	}
	for _, tt := range tests {
		w := newWorld(t, identity.Grants{Attached: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}})
		put(t, w.store, edges.Endpoints, &edge.Endpoint{Account: account, Region: "eu-west-1", ID: "vpce-1", Vpc: "vpc-1", State: edge.Available, Policy: tt.policy})
		key := w.alice.ID
		if tt.caller == "root" {
			key = w.root.ID
		}
		cred, err := w.Lookup(t.Context(), key, "")
		if err != nil {
			t.Fatal(err)
		}
		c := cred.Caller
		c.Region, c.SourceIP = "eu-west-1", "10.0.0.7"
		if err := w.Authorize(t.Context(), c, tt.call); err != nil {
			t.Errorf("%s, not through the endpoint: %v", tt.name, err)
		}
		c.Via = ViaOf(WithVia(t.Context(), Via{Account: account, Region: "eu-west-1", Endpoint: "vpce-1", Vpc: "vpc-1"}))
		reason := ""
		err = w.Authorize(t.Context(), c, tt.call)
		if d, ok := errors.AsType[*Denied](err); ok {
			reason = d.Reason
		} else if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if reason != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, reason, tt.want)
		}
	}
}

// TestEndpointOfResources limits what the policy of a resource allows, also
// anonymous callers; a service that asks another one in the caller's name does not
// pass there; and an endpoint that is gone lets nothing pass.
func TestEndpointOfResources(t *testing.T) {
	w := newWorld(t, identity.Grants{})
	put(t, w.store, edges.Endpoints, &edge.Endpoint{Account: account, Region: "eu-west-1", ID: "vpce-1", Vpc: "vpc-1",
		Policy: `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::mine/*"}]}`})
	public := Resource{Account: account, Policy: `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`}
	may := func(c Caller, object string) bool {
		return w.store.View(t.Context(), func(tx store.Tx) error {
			return w.Allow(tx, c, Use{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + object, On: public})
		}) == nil
	}
	nobody := Caller{SourceIP: "10.0.0.7", Via: &Via{Account: account, Region: "eu-west-1", Endpoint: "vpce-1", Vpc: "vpc-1"}}
	if !may(nobody, "mine/k") || may(nobody, "other/k") || !may(nobody.ByService(), "other/k") {
		t.Error("the endpoint's policy is not what limits")
	}
	owner := Caller{Account: account, UserID: account, ARN: identity.RootARN(account), Via: nobody.Via}
	if !may(owner, "mine/k") || may(owner, "other/k") {
		t.Error("the endpoint's policy does not limit who may do everything")
	}
	if nobody.ByService().SourceIP != "" {
		t.Error("a service tells another one an address in a VPC")
	}
	nobody.Via.Endpoint = "vpce-2"
	if may(nobody, "mine/k") {
		t.Error("an endpoint that is gone lets a call pass")
	}
}

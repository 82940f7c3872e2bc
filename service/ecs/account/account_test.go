package account

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const (
	account, region = "123456789012", "us-east-1"
	root            = "arn:aws:iam::123456789012:root"
	alice           = "arn:aws:iam::123456789012:user/alice"
	id              = "0123456789abcdef0123456789abcdef"
)

func as(principal string) context.Context {
	return auth.WithCaller(context.Background(), auth.Caller{Account: account, Region: region, ARN: principal})
}

var ctx = as(root)

func newHandler(t *testing.T) *Handler {
	s := mem.New(mem.Paranoid())
	t.Cleanup(func() { s.Close() })
	return New(service.Deps{Store: s, Now: time.Now, IDs: arn.NewSource(rand.New(rand.NewSource(1)))})
}

func put[T any](t *testing.T, h *Handler, table store.Table[T], records ...T) {
	t.Helper()
	err := h.deps.Store.Update(ctx, func(tx store.Tx) error {
		for i := range records {
			if err := table.Put(tx, &records[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, h *Handler, ctx context.Context, in ecs.ListAccountSettingsInput) (got []string, pages int) {
	t.Helper()
	for {
		out, err := h.ListAccountSettings(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, s := range out.Settings {
			got = append(got, *s.Name+"="+*s.Value+" of "+(*s.PrincipalArn)[strings.LastIndexAny(*s.PrincipalArn, ":/")+1:])
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return got, pages
		}
	}
}

func TestSettings(t *testing.T) {
	h := newHandler(t)
	set := func(ctx context.Context, name, value string, principal *string) {
		t.Helper()
		if _, err := h.PutAccountSetting(ctx, &ecs.PutAccountSettingInput{Name: &name, Value: &value, PrincipalArn: principal}); err != nil {
			t.Fatal(err)
		}
	}
	insights := ecs.ListAccountSettingsInput{Name: new("containerInsights"), EffectiveSettings: new(true)}
	expect := func(ctx context.Context, in ecs.ListAccountSettingsInput, want ...string) {
		t.Helper()
		if got, _ := list(t, h, ctx, in); !slices.Equal(got, want) {
			t.Errorf("listed %q, want %q", got, want)
		}
	}
	expect(as(alice), insights, "containerInsights=disabled of root")
	set(ctx, "containerInsights", "enabled", nil) // the root user's setting is the account's
	expect(as(alice), insights, "containerInsights=enabled of root")
	set(as(alice), "containerInsights", "enhanced", nil)
	expect(as(alice), insights, "containerInsights=enhanced of alice")
	expect(as("arn:aws:iam::123456789012:user/bob"), insights, "containerInsights=enabled of root")
	set(ctx, "awsvpcTrunking", "enabled", new("arn:aws:iam::123456789012:role/ops"))
	expect(as("arn:aws:sts::123456789012:assumed-role/ops/session"), ecs.ListAccountSettingsInput{}, "awsvpcTrunking=enabled of ops")
	expect(as(alice), ecs.ListAccountSettingsInput{}, "containerInsights=enhanced of alice")
	expect(as(alice), ecs.ListAccountSettingsInput{PrincipalArn: new(root)}, "containerInsights=enabled of root")
	expect(as(alice), ecs.ListAccountSettingsInput{Name: new("containerInsights"), Value: new("enabled")})

	if _, err := h.PutAccountSettingDefault(as(alice), &ecs.PutAccountSettingDefaultInput{Name: new("containerInsights"), Value: new("disabled")}); err != nil {
		t.Fatal(err)
	}
	out, err := h.DeleteAccountSetting(as(alice), &ecs.DeleteAccountSettingInput{Name: new("containerInsights")})
	if err != nil || *out.Setting.Value != "disabled" || *out.Setting.PrincipalArn != alice {
		t.Errorf("deleted: %+v, %v", out, err)
	}
	expect(as(alice), ecs.ListAccountSettingsInput{})

	all, pages := list(t, h, as(alice), ecs.ListAccountSettingsInput{EffectiveSettings: new(true)})
	if len(all) != len(settings) || pages != 2 || !slices.IsSorted(all) {
		t.Errorf("%d pages of effective settings: %q", pages, all)
	}
}

func TestSettingsRefuse(t *testing.T) {
	h := newHandler(t)
	for want, in := range map[string]ecs.PutAccountSettingInput{
		"InvalidParameterException: Invalid setting 'name'":         {Name: new("bogus"), Value: new("enabled")},
		"InvalidParameterException: Invalid setting 'value'":        {Name: new("taskLongArnFormat"), Value: new("ENABLED")},
		"InvalidParameterException: Invalid principal ARN.":         {Name: new("awsvpcTrunking"), Value: new("enabled"), PrincipalArn: new("arn:aws:iam::999999999999:user/x")},
		"InvalidParameterException: Invalid principal ARN. Specify": {Name: new("awsvpcTrunking"), Value: new("enabled"), PrincipalArn: new("arn:aws:iam::123456789012:user/a\x00b")},
		"InvalidParameterException: Name can not be blank.":         {Value: new("enabled")},
		"InvalidParameterException: Value can not be blank.":        {Name: new("awsvpcTrunking")},
	} {
		if _, err := h.PutAccountSetting(ctx, &in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, name := range []string{"guardDutyActivate", "fargateFIPSMode", "fargateEventWindows"} {
		for _, value := range []string{"on", "enabled"} {
			if _, err := h.PutAccountSettingDefault(ctx, &ecs.PutAccountSettingDefaultInput{Name: &name, Value: &value}); err == nil {
				t.Errorf("%s=%s was accepted", name, value)
			}
		}
	}
	if _, err := h.ListAccountSettings(ctx, &ecs.ListAccountSettingsInput{Value: new("enabled")}); err == nil {
		t.Error("a value without a name was accepted")
	}
}

func seed(t *testing.T, h *Handler) {
	at := func(name string) compute.Cluster {
		return compute.Cluster{Account: account, Region: region, Name: name, Status: "ACTIVE"}
	}
	gone := at("gone")
	gone.Status = "INACTIVE"
	put(t, h, tables.Clusters, at("web"), at("default"), gone)
	put(t, h, tables.Services,
		compute.Service{Account: account, Region: region, Cluster: "web", Name: "api", Status: "ACTIVE"},
		compute.Service{Account: account, Region: region, Cluster: "web", Name: "old", Status: "INACTIVE"})
	put(t, h, tables.Tasks,
		compute.Task{Account: account, Region: region, Cluster: "web", ID: id, State: compute.TaskState{Last: compute.Running}},
		compute.Task{Account: account, Region: region, Cluster: "web", ID: strings.Repeat("f", 32), State: compute.TaskState{Last: compute.Stopped}})
	put(t, h, tables.Instances, compute.Instance{Account: account, Region: region, Cluster: "web", ID: id, Status: "ACTIVE"})
	put(t, h, tables.TaskDefinitions, taskdef.Definition{Account: account, Region: region, Family: "web", Revision: 1, Status: "ACTIVE"})
}

func TestTagsOfEveryResource(t *testing.T) {
	h := newHandler(t)
	seed(t, h)
	for _, resource := range []string{"cluster/web", "service/web/api", "task/web/" + id, "container-instance/web/" + id, "task-definition/web:1"} {
		name := new("arn:aws:ecs:us-east-1:123456789012:" + resource)
		tags := func() string {
			out, err := h.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: name})
			if err != nil {
				return err.Error()
			}
			var s []string
			for _, tag := range out.Tags {
				s = append(s, *tag.Key+"="+*tag.Value)
			}
			return strings.Join(s, " ")
		}
		for _, value := range []string{"1", "2"} {
			in := &ecs.TagResourceInput{ResourceArn: name, Tags: []ecs.Tag{{Key: new("a"), Value: &value}, {Key: new("b" + value), Value: new("")}}}
			if _, err := h.TagResource(ctx, in); err != nil {
				t.Fatalf("%s: %v", resource, err)
			}
		}
		if got := tags(); got != "a=2 b1= b2=" {
			t.Errorf("%s: tags %q", resource, got)
		}
		if _, err := h.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: name, TagKeys: []string{"a", "b1", "zzz"}}); err != nil {
			t.Errorf("%s: %v", resource, err)
		}
		if got := tags(); got != "b2=" {
			t.Errorf("%s: tags %q after untagging", resource, got)
		}
	}
	out, err := h.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: new("arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE")})
	if err != nil || out.Tags == nil || len(out.Tags) != 0 {
		t.Errorf("tags of FARGATE: %+v, %v", out, err)
	}
}

func TestTagsRefuse(t *testing.T) {
	h := newHandler(t)
	seed(t, h)
	here := "arn:aws:ecs:us-east-1:123456789012:"
	for resource, want := range map[string]string{
		"web": "The ARN provided is invalid",
		"arn:aws:ecr:us-east-1:123456789012:repository/x": "The ARN provided is invalid",
		here + "task-set/x":                              "The ARN provided is invalid",
		here + "service/api":                             "Long arn format must be used for tagging operations",
		here + "task/" + id:                              "Long arn format must be used for tagging operations",
		here + "container-instance/" + id:                "Long arn format must be used for tagging operations",
		here + "cluster/gone":                            "The specified cluster is inactive. Specify an active cluster and try again.",
		here + "cluster/none":                            "Cluster not found.",
		here + "service/web/none":                        "The specified service was not found. Specify a valid service and try again.",
		here + "service/web/old":                         "The specified service is inactive. Specify an active service and try again.",
		here + "task/web/" + strings.Repeat("f", 32):     "The specified task is stopped. Specify a running task and try again.",
		here + "task/web/" + strings.Repeat("0", 32):     "The specified task was not found. Specify a valid task and try again.",
		here + "task-definition/web:9":                   "The specified task definition was not found. Specify a valid task definition and try again.",
		here + "task-definition/web":                     "Revision is missing",
		here + "capacity-provider/mine":                  "The specified capacity provider was not found. Specify a valid capacity provider and try again.",
		"arn:aws:ecs:eu-west-1:123456789012:cluster/web": "Invalid Region in ARN",
	} {
		_, err := h.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: &resource})
		if err == nil || !strings.HasSuffix(err.Error(), "Exception: "+want) {
			t.Errorf("%s: %v, want %s", resource, err, want)
		}
	}
	web := new(here + "cluster/web")
	if _, err := h.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: web, Tags: []ecs.Tag{{Key: new("a")}}}); err == nil || err.Error() != "ClientException: Tag value can not be null." {
		t.Errorf("tag without a value: %v", err)
	}
	if _, err := h.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: new(here + "capacity-provider/FARGATE"), Tags: []ecs.Tag{}}); err == nil {
		t.Error("FARGATE was tagged")
	}
	for i := range 51 {
		_, err := h.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: web, Tags: []ecs.Tag{{Key: new(fmt.Sprint(i)), Value: new("")}}})
		if (err == nil) != (i < 50) {
			t.Errorf("tag %d: %v", i, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	h := newHandler(t)
	seed(t, h)
	second := strings.Repeat("e", 32)
	put(t, h, tables.Instances, compute.Instance{Account: account, Region: region, Cluster: "web", ID: second, Status: "ACTIVE",
		Attributes: []compute.Attribute{{Name: "ecs.os-type", Value: new("linux")}}})
	set := func(name string, value *string, target string) error {
		_, err := h.PutAttributes(ctx, &ecs.PutAttributesInput{Cluster: new("web"), Attributes: []ecs.Attribute{{Name: &name, Value: value, TargetId: &target}}})
		return err
	}
	for _, err := range []error{set("stack", new("prod"), id), set("stack", new("test"), second), set("rack", nil, second), set("stack", new("dev"), id)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	list := func(in ecs.ListAttributesInput) (got []string) {
		t.Helper()
		in.Cluster, in.TargetType = new("web"), new("container-instance")
		for {
			out, err := h.ListAttributes(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range out.Attributes {
				got = append(got, (*a.TargetId)[len(*a.TargetId)-1:]+"."+*a.Name+"="+deref(a.Value))
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return got
			}
		}
	}
	all := []string{"f.stack=dev", "e.ecs.os-type=linux", "e.rack=", "e.stack=test"}
	for n := range int32(5) {
		if got := list(ecs.ListAttributesInput{MaxResults: new(n + 1)}); !slices.Equal(got, all) {
			t.Errorf("in pages of %d: %q", n+1, got)
		}
	}
	if got := list(ecs.ListAttributesInput{AttributeName: new("stack"), AttributeValue: new("test")}); !slices.Equal(got, []string{"e.stack=test"}) {
		t.Errorf("filtered: %q", got)
	}
	_, err := h.DeleteAttributes(ctx, &ecs.DeleteAttributesInput{Cluster: new("web"), Attributes: []ecs.Attribute{
		{Name: new("stack"), Value: new("other"), TargetId: new(id)}, {Name: new("rack"), TargetId: &second}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := list(ecs.ListAttributesInput{}); !slices.Equal(got, []string{"f.stack=dev", "e.ecs.os-type=linux", "e.stack=test"}) {
		t.Errorf("after deletion: %q", got)
	}
	for want, err := range map[string]error{
		"TargetNotFoundException":   set("a", nil, strings.Repeat("9", 32)),
		"InvalidParameterException": set("a b", nil, id),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for i := range 10 {
		err = set(fmt.Sprint("extra", i), nil, id)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "AttributeLimitExceededException") {
		t.Errorf("an eleventh custom attribute: %v", err)
	}
	if _, err := h.ListAttributes(ctx, &ecs.ListAttributesInput{TargetType: new("task")}); err == nil {
		t.Error("attributes of tasks were listed")
	}
}

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/identity"
	"neargate/resource/trail"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/wire"
	"neargate/wire/shape"
)

const account = "123456789012"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// kept is a log in memory.
type kept struct {
	mu     sync.Mutex
	events []trail.Event
	fail   error
}

func (k *kept) Append(e []trail.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range e {
		if k.fail == nil {
			e.Text = strings.Clone(e.Text)
			k.events = append(k.events, e)
		}
	}
	return k.fail
}

func (k *kept) Lookup(context.Context, trail.Query) (trail.Page, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return trail.Page{Events: k.events}, nil
}

func newRecorder(t *testing.T) (*Recorder, *kept, store.Store) {
	t.Helper()
	s, k := mem.New(mem.Paranoid()), &kept{}
	return New(s, k, &kept{}, arn.NewSource(rand.New(rand.NewSource(1))), slog.New(slog.DiscardHandler)), k, s
}

type keyValuePair struct{ Name, Value *string }

// KeyValuePair is named as in ECS.
type KeyValuePair keyValuePair

type inner struct {
	Environment []KeyValuePair
	VPCId       *string
	Count       *int32
}

type input struct {
	RoleName     *string
	SecretString *string
	Hush         *string `aws:"Hush,len=1:2,sensitive"`
	Nested       *inner
	Tags         map[string]string
	Absent       *string
	When         *time.Time
}

// TestEvent records a call with secrets of each kind, by a session of a role.
func TestEvent(t *testing.T) {
	r, k, st := newRecorder(t)
	session := identity.Session{ID: "ASIAX", Account: account, Role: "worker", RoleID: "AROAWORKER", Name: "s1", IssuedAt: start, Expires: start.Add(time.Hour)}
	err := st.Update(t.Context(), func(tx store.Tx) error {
		if err := tables.Roles.Put(tx, &identity.Role{Account: account, Path: "/", Name: "worker", ID: "AROAWORKER"}); err != nil {
			return err
		}
		return tables.Sessions.Put(tx, &session)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Observe(wire.Call{
		ID: "req", Service: "iam", Operation: "CreateRole", Region: "eu-west-1", Account: account, AccessKeyID: "ASIAX",
		SourceIP: "198.51.100.1", UserAgent: "aws-cli", Start: start.Add(time.Millisecond),
		Principal: auth.Caller{Account: account, ARN: session.ARN(), UserID: session.UserID()},
		Context:   auth.WithVia(t.Context(), auth.Via{Account: account, Region: "eu-west-1", Endpoint: "vpce-1", Vpc: "vpc-1"}),
		Input: &input{RoleName: new("r"), SecretString: new("s3cr3t"), Hush: new("s3cr3t"), Tags: map[string]string{"k": "v"}, When: &start,
			Nested: &inner{Environment: []KeyValuePair{{new("KEY"), new("s3cr3t")}}, VPCId: new("vpc-1"), Count: new(int32(2))}},
		Output: &struct{ Token, RoleId *string }{new("s3cr3t"), new("AROAX")},
	})
	page, err := r.Lookup(t.Context(), trail.Query{})
	if err != nil || len(page.Events) != 1 {
		t.Fatalf("%+v %v", page, err)
	}
	e := k.events[0]
	if e.Region != "us-east-1" || e.Username != "s1" || e.Source != "iam.amazonaws.com" || e.ReadOnly || len(e.Resources) != 1 || e.Resources[0] != (trail.Resource{Type: "AWS::IAM::Role", Name: "r"}) {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.Text, "s3cr3t") {
		t.Error("a secret is in the event")
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(e.Text), &got); err != nil {
		t.Fatal(err)
	}
	want := `map[awsRegion:us-east-1 eventCategory:Management eventID:` + e.ID + ` eventName:CreateRole eventSource:iam.amazonaws.com eventTime:2026-03-01T12:00:00Z eventType:AwsApiCall eventVersion:1.11 managementEvent:true readOnly:false recipientAccountId:123456789012 requestID:req requestParameters:map[hush:HIDDEN_DUE_TO_SECURITY_REASONS nested:map[count:2 environment:[map[name:KEY value:HIDDEN_DUE_TO_SECURITY_REASONS]] vpcId:vpc-1] roleName:r secretString:HIDDEN_DUE_TO_SECURITY_REASONS tags:map[k:v] when:2026-03-01T12:00:00Z] responseElements:map[roleId:AROAX token:HIDDEN_DUE_TO_SECURITY_REASONS] sourceIPAddress:198.51.100.1 userAgent:aws-cli userIdentity:map[accessKeyId:ASIAX accountId:123456789012 arn:arn:aws:sts::123456789012:assumed-role/worker/s1 principalId:AROAWORKER:s1 sessionContext:map[attributes:map[creationDate:2026-03-01T12:00:00Z mfaAuthenticated:false] sessionIssuer:map[accountId:123456789012 arn:arn:aws:iam::123456789012:role/worker principalId:AROAWORKER type:Role userName:worker]] type:AssumedRole] vpcEndpointAccountId:123456789012 vpcEndpointId:vpce-1]`
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant\n%s", got, want)
	}
}

// TestWhatIsRecorded tells calls that make events from those that do not.
func TestWhatIsRecorded(t *testing.T) {
	root := auth.Caller{Account: account, ARN: identity.RootARN(account), UserID: account}
	user := auth.Caller{Account: account, ARN: "arn:aws:iam::123456789012:user/team/ann", UserID: "AIDA"}
	tests := []struct {
		name string
		call wire.Call
		want []string // parts of the event; nil for none
	}{
		{"read", wire.Call{Service: "ecs", Operation: "ListClusters", Account: account, Principal: root, Output: &struct{ ClusterArns []string }{[]string{"a"}}},
			[]string{`"readOnly":true`, `"responseElements":null`, `"requestParameters":null`, `"type":"Root"`}},
		{"refused", wire.Call{Service: "ecs", Operation: "RunTask", Account: account, Principal: user, Code: "AccessDeniedException", Message: "User: x", Status: 400},
			[]string{`"errorCode":"AccessDenied","errorMessage":"User: x"`, `"userName":"ann"`, `"type":"IAMUser"`, `"responseElements":null`}},
		{"refused by EC2", wire.Call{Service: "ec2", Operation: "CreateVpc", Account: account, Principal: user, Code: "UnauthorizedOperation", Status: 403}, []string{`"errorCode":"Client.UnauthorizedOperation"`}},
		{"web identity", wire.Call{Service: "sts", Operation: "AssumeRoleWithWebIdentity", Input: &struct{ RoleArn, WebIdentityToken *string }{new("arn:aws:iam::123456789012:role/r"), new("jwt")}},
			[]string{`"type":"WebIdentityUser"`, `"recipientAccountId":"123456789012"`, `"webIdentityToken":"HIDDEN_DUE_TO_SECURITY_REASONS"`}},
		{"SAML", wire.Call{Service: "sts", Operation: "AssumeRoleWithSAML", Input: &struct{ RoleArn, SAMLAssertion *string }{new("arn:aws:iam::123456789012:role/r"), new("xml")}},
			[]string{`"type":"SAMLUser"`, `"recipientAccountId":"123456789012"`, `Assertion":"HIDDEN_DUE_TO_SECURITY_REASONS"`, `"readOnly":true`}},
		{"nobody", wire.Call{Service: "ecs", Operation: "RunTask", Code: "InvalidSignatureException"}, nil},
		{"no operation", wire.Call{Service: "ecs", Account: account, Principal: root}, nil},
		{"data plane", wire.Call{Service: "logs", Operation: "PutLogEvents", Account: account, Principal: root}, nil},
		{"bucket", wire.Call{Service: "s3", Operation: "PutBucketPolicy", Account: account, Principal: root}, []string{`"eventSource":"s3.amazonaws.com"`}},
		{"object", wire.Call{Service: "s3", Operation: "PutObject", Account: account, Principal: root}, nil},
		{"long body", wire.Call{Service: "ecr", Operation: "UploadLayerPart", Account: account, Principal: root, Read: 1 << 30, Input: &struct{ LayerPartBlob []byte }{make([]byte, 8)}},
			[]string{`"requestParameters":null`}},
		{"too long", wire.Call{Service: "iam", Operation: "PutRolePolicy", Account: account, Principal: root, Input: &struct{ PolicyDocument *string }{new(strings.Repeat("x", maxElements))}},
			[]string{`"requestParameters":null`}},
	}
	for _, tt := range tests {
		r, k, _ := newRecorder(t)
		r.Observe(tt.call)
		r.Flush()
		if len(k.events) != min(len(tt.want), 1) {
			t.Errorf("%s: %d events", tt.name, len(k.events))
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(k.events[0].Text, part) {
				t.Errorf("%s: %s is not in %s", tt.name, part, k.events[0].Text)
			}
		}
	}
}

// TestOrder observes from many callers while events are written: each caller's stay in
// order, and none is lost, also at the end.
func TestOrder(t *testing.T) {
	r, k, _ := newRecorder(t)
	ctx, cancel := context.WithCancel(t.Context())
	var writer, callers sync.WaitGroup
	writer.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	const each = 3000
	for i := range 8 {
		callers.Go(func() {
			for j := range each {
				r.Observe(wire.Call{Service: "ecs", Operation: "RunTask", Account: account, AccessKeyID: fmt.Sprint(i), ID: fmt.Sprint(j), Principal: auth.Caller{}})
				if j%500 == 0 {
					r.Flush()
				}
			}
		})
	}
	callers.Wait()
	cancel()
	writer.Wait()
	next := map[string]int{}
	for _, e := range k.events {
		if want := fmt.Sprintf(`"requestID":"%d"`, next[e.AccessKeyID]); !strings.Contains(e.Text, want) {
			t.Fatalf("caller %s: %s, want %s", e.AccessKeyID, e.Text, want)
		}
		next[e.AccessKeyID]++
	}
	if len(k.events) != 8*each {
		t.Errorf("%d events", len(k.events))
	}
}

func TestCamel(t *testing.T) {
	for in, want := range map[string]string{"RoleName": "roleName", "AWSServiceName": "awsServiceName", "VPCId": "vpcId", "Arn": "arn", "KMS": "kms", "a": "a", "SSEType": "sseType"} {
		if got := camel(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// TestPrints compares with encoding/json where both print the same.
func TestPrints(t *testing.T) {
	for _, v := range []any{
		map[string]any{}, map[string]string{"b": "<&>\u2028", "a": "\x00\"\\"}, []string{}, []string{"ä", "\xff"}, []*string{nil, new("x")},
		[]byte("bytes"), json.RawMessage(`{"a":[1]}`), []float64{0, -1.5, 1e21, 1e-9}, []bool{true, false}, []int64{1 << 62, -1},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := new(printer).append(nil, reflect.ValueOf(v))
		var a, b any
		if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal(want, &b)); err != nil || !ok || !reflect.DeepEqual(a, b) {
			t.Errorf("%s %v, want %s; %v", got, ok, want, err)
		}
	}
	for _, v := range []any{[]string(nil), map[string]string(nil), (*string)(nil), json.RawMessage{}, func() {}} {
		if got, ok := new(printer).append(nil, reflect.ValueOf(v)); ok || got != nil {
			t.Errorf("%T: %s", v, got)
		}
	}
	type shown struct {
		Name *string `aws:"name"`
		Form *shape.Form
	}
	if got, _ := new(printer).append(nil, reflect.ValueOf(shown{new("a"), new(shape.Form)})); string(got) != `{"name":"a"}` {
		t.Errorf("with its form: %s", got)
	}
	if got, _ := new(printer).append(nil, reflect.ValueOf([]float64{math.NaN(), math.Inf(-1)})); string(got) != `["NaN","-Inf"]` {
		t.Error(string(got))
	}
}

// BenchmarkEvents makes the events of 100 calls with 2 KiB of parameters.
func BenchmarkEvents(b *testing.B) {
	r := New(mem.New(), &kept{fail: context.Canceled}, &kept{}, arn.NewSource(rand.New(rand.NewSource(1))), slog.New(slog.DiscardHandler))
	in := &input{RoleName: new("r"), SecretString: new("x"), Tags: map[string]string{"k": "v"}, Nested: &inner{}}
	for range 20 {
		in.Nested.Environment = append(in.Nested.Environment, KeyValuePair{new("NAME"), new(strings.Repeat("v", 80))})
	}
	c := wire.Call{Service: "ecs", Operation: "RunTask", Account: account, Principal: auth.Caller{Account: account, ARN: identity.RootARN(account)}, Input: in}
	b.ReportAllocs()
	for b.Loop() {
		for range 100 {
			r.Observe(c)
		}
		r.Flush()
	}
}

func BenchmarkObserve(b *testing.B) {
	k := &kept{fail: context.Canceled}
	r := New(mem.New(), k, &kept{}, arn.NewSource(rand.New(rand.NewSource(1))), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go r.Run(ctx)
	c := wire.Call{Service: "ecs", Operation: "ListClusters", Account: account, Principal: auth.Caller{}}
	for b.Loop() {
		r.Observe(c)
	}
}

package audit

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/identity"
	"neargate/resource/trail"
	"neargate/store"
	"neargate/store/mem"
	tables "neargate/store/tables/trails"
	"neargate/wire"
)

const other = "210987654321"

// dataTrail is a trail of all data events.
func dataTrail(account string) *trail.Trail {
	return &trail.Trail{Account: account, Region: "us-east-1", Name: "data", Logging: true, Since: 1, StartedAt: start,
		Selectors: []trail.Selector{{ReadWrite: "All", None: true, Data: []trail.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::b/"}}}}}}
}

func access(operation, caller string, a Access) wire.Call {
	a.Bucket, a.ID2 = "b", "id2"
	c := wire.Call{ID: "req", Service: "s3", Operation: operation, Region: "us-east-1", Account: caller, SourceIP: "198.51.100.1", UserAgent: "aws-cli", Host: "b.s3.amazonaws.com", Start: start.Add(time.Second), Input: &a}
	if caller != "" {
		c.AccessKeyID = "AKIAX"
		c.Principal = auth.Caller{Account: caller, ARN: "arn:aws:iam::" + caller + ":user/ann", UserID: "AIDAX"}
	}
	return c
}

// TestData records accesses to objects for whom they concern, and only if a trail of
// theirs wants them.
func TestData(t *testing.T) {
	for name, tt := range map[string]struct {
		call   wire.Call
		trails []*trail.Trail
		want   map[string]string // a part of the event by its recipient
	}{
		"nobody asks":     {access("GetObject", account, Access{Key: "k", Owner: account}), nil, nil},
		"another account": {access("GetObject", account, Access{Key: "k", Owner: account}), []*trail.Trail{dataTrail(other)}, nil},
		"own":             {access("GetObject", account, Access{Key: "k", Owner: account}), []*trail.Trail{dataTrail(account)}, map[string]string{account: `"userName":"ann"`}},
		"another's bucket": {access("GetObject", account, Access{Key: "k", Owner: other}), []*trail.Trail{dataTrail(account), dataTrail(other)},
			map[string]string{account: `"userName":"ann"`, other: `"userIdentity":{"type":"AWSAccount","principalId":"AIDAX","accountId":"123456789012"}`}},
		"only the owner asks": {access("GetObject", account, Access{Key: "k", Owner: other}), []*trail.Trail{dataTrail(other)}, map[string]string{other: `"sharedEventID":"`}},
		"anonymous":           {access("GetObject", "", Access{Key: "k", Owner: other}), []*trail.Trail{dataTrail(other)}, map[string]string{other: `"userIdentity":{"type":"AWSAccount","principalId":"","accountId":"anonymous"}`}},
		"nobody proven":       {access("GetObject", "", Access{Key: "k"}), []*trail.Trail{dataTrail(other)}, nil},
		"list": {access("ListObjectsV2", account, Access{Key: "p", Many: true, Owner: account, Parameters: []Pair{{"list-type", "2"}}}), []*trail.Trail{dataTrail(account)},
			map[string]string{account: `"ARNPrefix":"arn:aws:s3:::b/p"`}},
		"not told": {wire.Call{Service: "s3", Operation: "GetObject", Account: account}, []*trail.Trail{dataTrail(account)}, nil},
		"logs":     {wire.Call{Service: "logs", Operation: "PutLogEvents", Account: account}, []*trail.Trail{dataTrail(account)}, nil},
	} {
		s := mem.New()
		put(t, s, tt.trails...)
		management, data := &kept{}, &kept{}
		r := New(s, management, data, arn.NewSource(rand.New(rand.NewSource(1))), slog.New(slog.DiscardHandler))
		if r.Selecting() != (len(tt.trails) > 0) {
			t.Errorf("%s: it selects %v", name, r.Selecting())
		}
		r.Observe(tt.call)
		r.Observe(wire.Call{Service: "ecs", Operation: "RunTask", Account: account, Principal: auth.Caller{Account: account, ARN: identity.RootARN(account)}})
		if page, err := r.Lookup(t.Context(), trail.Query{}); err != nil || len(page.Events) != 1 || page.Events[0].Data {
			t.Errorf("%s: %+v can be looked up (%v)", name, page, err)
		}
		got := map[string]string{}
		for _, e := range data.events {
			got[e.Account] = e.Text
			if !json.Valid([]byte(e.Text)) || !e.Data {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if len(got) != len(tt.want) || len(data.events) != len(tt.want) {
			t.Errorf("%s: %v", name, got)
		}
		for account, part := range tt.want {
			if !strings.Contains(got[account], part) {
				t.Errorf("%s: %s is not in %s", name, part, got[account])
			}
		}
	}
}

// TestDataEvent is one event in full.
func TestDataEvent(t *testing.T) {
	s := mem.New()
	put(t, s, dataTrail(account))
	data := &kept{}
	r := New(s, &kept{}, data, arn.NewSource(rand.New(rand.NewSource(1))), slog.New(slog.DiscardHandler))
	r.Observe(access("PutObject", account, Access{Key: "a b", Owner: account, Parameters: []Pair{{"x-amz-acl", "private"}}, Answers: []Pair{{"x-amz-version-id", "v"}},
		Signature: "SigV4", Authentication: "AuthHeader", Encryption: "Default_SSE_S3", In: 12}))
	r.Flush()
	if len(data.events) != 1 {
		t.Fatal(data.events)
	}
	e := data.events[0]
	if e.ReadOnly || e.Caller != "arn:aws:iam::123456789012:user/ann" || fmt.Sprint(e.Resources) != "[{AWS::S3::Object arn:aws:s3:::b/a b} {AWS::S3::Bucket arn:aws:s3:::b}]" {
		t.Errorf("%+v", e)
	}
	const want = `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAX","arn":"arn:aws:iam::123456789012:user/ann","accountId":"123456789012","accessKeyId":"AKIAX","userName":"ann"},` +
		`"eventTime":"2026-03-01T12:00:01Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.1","userAgent":"[aws-cli]",` +
		`"requestParameters":{"bucketName":"b","Host":"b.s3.amazonaws.com","key":"a b","x-amz-acl":"private"},"responseElements":{"x-amz-version-id":"v"},` +
		`"additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":12,"SSEApplied":"Default_SSE_S3","AuthenticationMethod":"AuthHeader","x-amz-id-2":"id2","bytesTransferredOut":0},` +
		`"requestID":"req","eventID":"ID","readOnly":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/a b"},{"accountId":"123456789012","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}],` +
		`"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data"}`
	if got := strings.ReplaceAll(e.Text, e.ID, "ID"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestFollow begins and ends to record as trails select.
func TestFollow(t *testing.T) {
	r, _, s := newRecorder(t)
	done := make(chan error)
	go func() { done <- r.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	until := func(want bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); r.Selecting() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it never became %v", want)
			}
		}
	}
	tr := dataTrail(account)
	put(t, s, tr)
	until(true)
	tr.Selectors = trail.Everything()
	put(t, s, tr)
	until(false)
}

func put(t *testing.T, s store.Store, trails ...*trail.Trail) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for _, tr := range trails {
			if err := tables.Trails.Put(tx, tr); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkUnselected is what an access costs that no trail selects.
func BenchmarkUnselected(b *testing.B) {
	r := New(mem.New(), &kept{}, &kept{}, arn.NewSource(rand.New(rand.NewSource(1))), slog.New(slog.DiscardHandler))
	c := wire.Call{Service: "s3", Operation: "GetObject", Account: account}
	b.ReportAllocs()
	for b.Loop() {
		if !r.Selecting() {
			r.Observe(c)
		}
	}
}

package logs

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/dataplane/logstore"
	"neargate/resource/logs"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/wire/shape"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newService(t *testing.T) (*Service, context.Context) {
	t.Helper()
	events, err := logstore.Open(logstore.Config{Dir: "logs", FS: vfs.NewMem(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	s := New(service.Deps{
		Store: mem.New(mem.Paranoid()), Now: func() time.Time { return start },
		IDs: arn.NewSource(rand.New(rand.NewSource(1))),
	}, events, folder{})
	return s, auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: "us-east-1"})
}

// wantError checks an error's code and message; no code means none.
func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	want := ""
	if code != "" {
		want = code + ": " + message
	}
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func create(t *testing.T, s *Service, ctx context.Context, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := s.CreateLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: &n}); err != nil {
			t.Fatal(err)
		}
	}
}

func groupNames(out *api.DescribeLogGroupsOutput) []string {
	names := []string{}
	for _, g := range out.LogGroups {
		names = append(names, *g.LogGroupName)
	}
	return names
}

func TestLogGroups(t *testing.T) {
	s, ctx := newService(t)
	create(t, s, ctx, "/ecs/b", "/ecs/a", "/ecs-x", "other")
	_, err := s.CreateLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: new("other")})
	wantError(t, err, "ResourceAlreadyExistsException", "The specified log group already exists")

	out, err := s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{LogGroupNamePrefix: new("/ecs/a")})
	if err != nil || len(out.LogGroups) != 1 {
		t.Fatalf("%v %v", groupNames(out), err)
	}
	g := out.LogGroups[0]
	if *g.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/a:*" || *g.Arn != *g.LogGroupArn+":*" ||
		*g.CreationTime != start.UnixMilli() || *g.LogGroupClass != "STANDARD" || g.RetentionInDays != nil || *g.StoredBytes != 0 {
		t.Errorf("%+v", g)
	}
	tests := []struct {
		in   api.DescribeLogGroupsInput
		want string
	}{
		{api.DescribeLogGroupsInput{}, "/ecs-x /ecs/a /ecs/b other"},
		{api.DescribeLogGroupsInput{LogGroupNamePrefix: new("/ecs/")}, "/ecs/a /ecs/b"},
		{api.DescribeLogGroupsInput{LogGroupNamePattern: new("x")}, "/ecs-x"},
		{api.DescribeLogGroupsInput{LogGroupClass: new("INFREQUENT_ACCESS")}, ""},
		{api.DescribeLogGroupsInput{AccountIdentifiers: []string{"210987654321"}}, ""},
		{api.DescribeLogGroupsInput{AccountIdentifiers: []string{"123456789012"}, LogGroupNamePattern: new("oth")}, "other"},
		{api.DescribeLogGroupsInput{LogGroupIdentifiers: []string{"other", "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/a"}}, "/ecs/a other"},
	}
	for _, tt := range tests {
		out, err := s.DescribeLogGroups(ctx, &tt.in)
		if err != nil || strings.Join(groupNames(out), " ") != tt.want {
			t.Errorf("%+v: %v %v, want %s", tt.in, groupNames(out), err, tt.want)
		}
	}
	_, err = s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{LogGroupNamePrefix: new("a"), LogGroupNamePattern: new("b")})
	wantError(t, err, "InvalidParameterException", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")

	_, err = s.DeleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: new("other")})
	wantError(t, err, "", "")
	_, err = s.DeleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: new("other")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	elsewhere := auth.WithCaller(ctx, auth.Caller{Account: "123456789012", Region: "eu-west-1"})
	if out, err := s.DescribeLogGroups(elsewhere, &api.DescribeLogGroupsInput{}); err != nil || len(out.LogGroups) != 0 {
		t.Errorf("another region sees %v %v", groupNames(out), err)
	}
}

func TestLogGroupPages(t *testing.T) {
	s, ctx := newService(t)
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprintf("g%02d", i))
	}
	create(t, s, ctx, want...)
	in := &api.DescribeLogGroupsInput{LogGroupNamePrefix: new("g")}
	var got []string
	for pages := 1; ; pages++ {
		out, err := s.DescribeLogGroups(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, groupNames(out)...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			if pages != 2 || len(out.LogGroups) != 10 {
				t.Errorf("%d pages, the last of %d", pages, len(out.LogGroups))
			}
			break
		}
		in.Limit = new(int32(20))
		if pages == 1 {
			in.Limit = nil
		}
		_, err = s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{NextToken: in.NextToken})
		wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.") // other prefix
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestCreateLogGroupRefusals(t *testing.T) {
	s, ctx := newService(t)
	_, err := s.CreateLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: new("g"), KmsKeyId: new("k")})
	wantError(t, err, "AccessDeniedException", "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:123456789012:log-group:g'")
	for _, in := range []*api.CreateLogGroupInput{
		{LogGroupName: new("g"), LogGroupClass: new("DELIVERY")},
		{LogGroupName: new("g"), DeletionProtectionEnabled: new(true)},
		{LogGroupName: new("g"), Tags: map[string]string{"aws:x": "y"}},
	} {
		if _, err := s.CreateLogGroup(ctx, in); !shape.IsCode(err, "InvalidParameterException") {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if out, _ := s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{}); len(out.LogGroups) != 0 {
		t.Errorf("made %v", groupNames(out))
	}
}

func TestRetention(t *testing.T) {
	s, ctx := newService(t)
	create(t, s, ctx, "g")
	_, err := s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(10))})
	wantError(t, err, "InvalidParameterException", "Invalid retention value. Valid values are: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]")
	_, err = s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("x"), RetentionInDays: new(int32(7))})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = s.PutRetentionPolicy(ctx, &api.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(7))})
	wantError(t, err, "", "")
	if out, _ := s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{}); *out.LogGroups[0].RetentionInDays != 7 {
		t.Error("retention is not kept")
	}
	for range 2 {
		_, err = s.DeleteRetentionPolicy(ctx, &api.DeleteRetentionPolicyInput{LogGroupName: new("g")})
		wantError(t, err, "", "")
	}
	if out, _ := s.DescribeLogGroups(ctx, &api.DescribeLogGroupsInput{}); out.LogGroups[0].RetentionInDays != nil {
		t.Error("retention is not removed")
	}
}

// fill makes streams s00…, each with a last event some minutes after the one
// before, except every third, which has none.
func fill(t *testing.T, s *Service, ctx context.Context, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("s%02d", i)
		if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: &name}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			continue
		}
		put(t, s, ctx, name, event(start.Add(time.Duration(i)*time.Minute), "x"))
	}
}

func TestLogStreams(t *testing.T) {
	s, ctx := newService(t)
	_, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	create(t, s, ctx, "g", "gg")
	fill(t, s, ctx, 7)
	_, err = s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("s00")})
	wantError(t, err, "ResourceAlreadyExistsException", "The specified log stream already exists")
	_, err = s.DeleteLogStream(ctx, &api.DeleteLogStreamInput{LogGroupName: new("g"), LogStreamName: new("x")})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
	_, err = s.DescribeLogStreams(ctx, &api.DescribeLogStreamsInput{})
	wantError(t, err, "InvalidParameterException", "Either LogGroup name or LogGroup identifier must be specified.")
	_, err = s.DescribeLogStreams(ctx, &api.DescribeLogStreamsInput{LogGroupName: new("g"), OrderBy: new("LastEventTime"), LogStreamNamePrefix: new("s")})
	wantError(t, err, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")

	tests := []struct {
		in   api.DescribeLogStreamsInput
		want string
	}{
		{api.DescribeLogStreamsInput{}, "s00 s01 s02 s03 s04 s05 s06"},
		{api.DescribeLogStreamsInput{Descending: new(true)}, "s06 s05 s04 s03 s02 s01 s00"},
		{api.DescribeLogStreamsInput{OrderBy: new("LastEventTime"), Descending: new(true)}, "s05 s04 s02 s01 s00 s03 s06"},
		{api.DescribeLogStreamsInput{OrderBy: new("LastEventTime")}, "s06 s03 s00 s01 s02 s04 s05"},
		{api.DescribeLogStreamsInput{LogStreamNamePrefix: new("s03")}, "s03"},
		{api.DescribeLogStreamsInput{LogStreamNamePrefix: new("s0"), Descending: new(true)}, "s06 s05 s04 s03 s02 s01 s00"},
		{api.DescribeLogStreamsInput{LogStreamNamePrefix: new("t")}, ""},
	}
	for _, tt := range tests {
		for _, limit := range []int32{1, 3, 50} {
			in, got := tt.in, []string{}
			in.Limit, in.LogGroupIdentifier = &limit, new("arn:aws:logs:us-east-1:123456789012:log-group:g")
			for {
				out, err := s.DescribeLogStreams(ctx, &in)
				if err != nil {
					t.Fatal(err)
				}
				for _, st := range out.LogStreams {
					got = append(got, *st.LogStreamName)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil || len(got) > 10 {
					break
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%+v, limit %d: %v, want %s", tt.in, limit, got, tt.want)
			}
		}
	}
	out, _ := s.DescribeLogStreams(ctx, &api.DescribeLogStreamsInput{LogGroupName: new("g")})
	empty, full := out.LogStreams[0], out.LogStreams[1]
	if empty.LastEventTimestamp != nil || empty.UploadSequenceToken != nil || *empty.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:s00" {
		t.Errorf("%+v", empty)
	}
	if *full.LastEventTimestamp != start.Add(time.Minute).UnixMilli() || len(*full.UploadSequenceToken) != 56 {
		t.Errorf("%+v", full)
	}
}

func TestDeleteLogGroupWithStreams(t *testing.T) {
	s, ctx := newService(t)
	create(t, s, ctx, "g", "gg")
	fill(t, s, ctx, 2*deleteBatch)
	if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("gg"), LogStreamName: new("kept")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: new("g")}); err != nil {
		t.Fatal(err)
	}
	if err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		left, err := store.Collect(tables.LogStreams.List(tx))
		if len(left) != 1 || left[0].Name != "kept" {
			t.Errorf("left: %v", left)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTags(t *testing.T) {
	s, ctx := newService(t)
	if _, err := s.CreateLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: new("g"), Tags: map[string]string{"a": "1"}}); err != nil {
		t.Fatal(err)
	}
	arn := new(logs.GroupARN("123456789012", "us-east-1", "g"))
	_, err := s.TagResource(ctx, &api.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "2", "b": "3"}})
	wantError(t, err, "", "")
	_, err = s.TagLogGroup(ctx, &api.TagLogGroupInput{LogGroupName: new("g"), Tags: map[string]string{"c": "4"}})
	wantError(t, err, "", "")
	_, err = s.UntagResource(ctx, &api.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"b", "missing"}})
	wantError(t, err, "", "")
	out, err := s.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil || fmt.Sprint(out.Tags) != "map[a:2 c:4]" {
		t.Errorf("%v %v", out.Tags, err)
	}
	_, err = s.UntagLogGroup(ctx, &api.UntagLogGroupInput{LogGroupName: new("g"), Tags: []string{"a", "c"}})
	wantError(t, err, "", "")
	old, err := s.ListTagsLogGroup(ctx, &api.ListTagsLogGroupInput{LogGroupName: new("g")})
	if err != nil || old.Tags == nil || len(old.Tags) != 0 {
		t.Errorf("%v %v", old.Tags, err)
	}
	_, err = s.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: new("arn:aws:logs:eu-west-1:123456789012:log-group:g")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint(i)] = ""
	}
	if _, err := s.TagResource(ctx, &api.TagResourceInput{ResourceArn: arn, Tags: many}); !shape.IsCode(err, "TooManyTagsException") {
		t.Error(err)
	}
}

package traillogs

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	awslogs "neargate/aws/logs"
	"neargate/cmd/neargate/door"
	"neargate/dataplane/logstore"
	"neargate/dataplane/trails"
	"neargate/resource/identity"
	"neargate/resource/trail"
	"neargate/service"
	"neargate/service/cloudtrail"
	"neargate/service/logs"
	"neargate/service/logs/export"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

const account, region = "123456789012", "us-east-1"

var now = time.Date(2026, 11, 1, 12, 7, 0, 0, time.UTC)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is CloudWatch Logs, a role of a trail, and what delivers.
type world struct {
	Groups
	t    *testing.T
	logs *logs.Service
	tr   trail.Trail
}

func newWorld(t *testing.T) *world {
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	events, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	ok(t, err)
	t.Cleanup(func() { events.Close() })
	clock := func() time.Time { return now }
	ids := arn.NewSource(rand.NewChaCha8([32]byte{3}))
	w := &world{t: t, logs: logs.New(service.Deps{Store: st, Now: clock, IDs: ids}, events, export.Buckets(nil)),
		tr: trail.Trail{Account: account, Region: region, Name: "main", LogGroup: "arn:aws:logs:us-east-1:123456789012:log-group:/trail:*", LogRole: "arn:aws:iam::123456789012:role/trail"}}
	w.Groups = Groups{Gate: door.Gate{Directory: auth.NewDirectory(st, clock)}, Store: st, Logs: w.logs, Now: clock, IDs: ids}
	return w
}

// role lets a service do things to streams as the trail's role.
func (w *world) role(service, source, streams string, actions ...string) {
	w.t.Helper()
	ok(w.t, w.Store.Update(w.t.Context(), func(tx store.Tx) error {
		return tables.Roles.Put(tx, &identity.Role{Account: account, Path: "/", Name: "trail", ID: "AROATRAIL",
			Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceArn":"` + source + `"}}}]}`,
			Grants: identity.Grants{Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` +
				strings.Join(actions, `","`) + `"],"Resource":"arn:aws:logs:us-east-1:123456789012:log-group:/trail:log-stream:` + streams + `"}]}`}}}})
	}))
}

func (w *world) events(stream string) (all []string) {
	w.t.Helper()
	ctx := auth.WithCaller(w.t.Context(), auth.Caller{Account: account, Region: region, ARN: identity.RootARN(account), UserID: account})
	in := &awslogs.GetLogEventsInput{LogGroupName: new("/trail"), LogStreamName: &stream, StartFromHead: new(true)}
	for {
		out, err := w.logs.GetLogEvents(ctx, in)
		ok(w.t, err)
		if len(out.Events) == 0 {
			return all
		}
		for _, e := range out.Events {
			all = append(all, *e.Message)
		}
		in.NextToken = out.NextForwardToken
	}
}

func arrival(at time.Time, text string) trail.Arrival {
	return trail.Arrival{Event: trail.Event{Time: at, Text: text}}
}

// TestMayLog asks the role's trust, its policies and the log group, in that order, and makes
// the stream.
func TestMayLog(t *testing.T) {
	w := newWorld(t)
	const source = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main"
	may := func(want error) {
		t.Helper()
		if err := w.MayLog(t.Context(), &w.tr); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	both := []string{"logs:CreateLogStream", "logs:PutLogEvents"}
	may(cloudtrail.ErrRole)
	w.role("ecs-tasks.amazonaws.com", source, "*", both...)
	may(cloudtrail.ErrRole)
	w.role("cloudtrail.amazonaws.com", source+"2", "*", both...)
	may(cloudtrail.ErrRole)
	w.role("cloudtrail.amazonaws.com", source, "*", "logs:PutLogEvents")
	may(cloudtrail.ErrNotLogged)
	w.role("cloudtrail.amazonaws.com", source, "123456789012_CloudTrail_us-east-1*", both...)
	may(cloudtrail.ErrNoGroup)
	root := auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: region, ARN: identity.RootARN(account), UserID: account})
	_, err := w.logs.CreateLogGroup(root, &awslogs.CreateLogGroupInput{LogGroupName: new("/trail")})
	ok(t, err)
	w.role("cloudtrail.amazonaws.com", source, "*", "logs:CreateLogStream")
	may(cloudtrail.ErrNotLogged)
	w.role("cloudtrail.amazonaws.com", source, "123456789012_CloudTrail_us-east-1*", both...)
	may(nil)
	may(nil)
	if got := w.events("123456789012_CloudTrail_us-east-1"); len(got) != 0 {
		t.Error(got)
	}
}

// TestLog writes events in batches that CloudWatch Logs takes, into streams it makes, and
// tells of refusals.
func TestLog(t *testing.T) {
	w := newWorld(t)
	root := auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: region, ARN: identity.RootARN(account), UserID: account})
	refused := func(want string) {
		t.Helper()
		err := w.Log(t.Context(), &w.tr, region, []trail.Arrival{arrival(now, "x")})
		if r, _ := errors.AsType[trails.Refused](err); string(r) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	refused("AccessDenied")
	w.role("cloudtrail.amazonaws.com", "arn:aws:cloudtrail:us-east-1:123456789012:trail/main", "*", "logs:CreateLogStream", "logs:PutLogEvents")
	refused("ResourceNotFoundException")
	_, err := w.logs.CreateLogGroup(root, &awslogs.CreateLogGroupInput{LogGroupName: new("/trail")})
	ok(t, err)
	events, want := []trail.Arrival{arrival(now.Add(-30*time.Hour), "long ago")}, []string{"long ago"}
	for i := range 9 {
		text := fmt.Sprint(i) + strings.Repeat("x", 200<<10)
		events, want = append(events, arrival(now.Add(-time.Minute), text)), append(want, text)
	}
	events = append(events, arrival(now, strings.Repeat("y", maxEvent+1)))
	ok(t, w.Log(t.Context(), &w.tr, "eu-west-1", events))
	if got := w.events("123456789012_CloudTrail_eu-west-1"); !slices.Equal(got, want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
}

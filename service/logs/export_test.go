package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	api "neargate/aws/logs"
	"neargate/service/logs/export"
)

// folder keeps objects by bucket and key. A bucket is there once it has an object.
type folder map[string][]byte

var folderLock sync.Mutex

// MayRead implements export.Buckets.
func (f folder) MayRead(_ context.Context, _ export.Owner, bucket string) error {
	folderLock.Lock()
	defer folderLock.Unlock()
	if bucket == "denied" {
		return export.ErrDenied
	}
	if _, ok := f[bucket+"/"]; !ok {
		return export.ErrNoBucket
	}
	return nil
}

// Put implements export.Buckets.
func (f folder) Put(_ context.Context, _ export.Owner, bucket, key string, next func() ([]byte, error)) error {
	var all []byte
	for {
		piece, err := next()
		if err != nil {
			return err
		}
		if len(piece) == 0 {
			break
		}
		all = append(all, piece...)
	}
	folderLock.Lock()
	defer folderLock.Unlock()
	f[bucket+"/"+key] = all
	return nil
}

func (f folder) text(t *testing.T, name string) string {
	t.Helper()
	folderLock.Lock()
	defer folderLock.Unlock()
	z, err := gzip.NewReader(bytes.NewReader(f[name]))
	if err != nil {
		t.Fatalf("%s: %v in %q", name, err, slices.Sorted(maps.Keys(f)))
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestExport(t *testing.T) {
	s, ctx := newService(t)
	to := folder{"b/": nil}
	s.Exporter = export.New(s.deps, s.events, to)
	create(t, s, ctx, "g")
	for _, stream := range []string{"web/1", "web/2", "db"} {
		if _, err := s.CreateLogStream(ctx, &api.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: &stream}); err != nil {
			t.Fatal(err)
		}
	}
	at := start.UnixMilli()
	var lines strings.Builder
	for i := range 3 {
		for _, stream := range []string{"web/1", "web/2", "db"} {
			if _, err := s.PutLogEvents(ctx, &api.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: &stream,
				LogEvents: []api.InputLogEvent{{Timestamp: new(at + int64(i)), Message: new(fmt.Sprintf("%s %d", stream, i))}}}); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&lines, "2026-%s web/1 %d\n", start.Add(time.Duration(i)*time.Millisecond).UTC().Format("01-02T15:04:05.000Z"), i)
	}
	begin := func(bucket string) (*string, error) {
		out, err := s.CreateExportTask(ctx, &api.CreateExportTaskInput{LogGroupName: new("g"), LogStreamNamePrefix: new("web/"), TaskName: new("n"),
			From: new(at), To: new(at + 3), Destination: &bucket, DestinationPrefix: new("p")})
		if err != nil {
			return nil, err
		}
		return out.TaskId, nil
	}
	_, err := begin("denied")
	wantError(t, err, "InvalidParameterException", "GetBucketAcl call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.")
	id, err := begin("b")
	if err != nil {
		t.Fatal(err)
	}
	if string(to["b/p/aws-logs-write-test"]) != "Permission Check Successful" {
		t.Error("no test of permissions was written")
	}
	_, err = begin("b")
	wantError(t, err, "LimitExceededException", "Resource limit exceeded.")

	// Cancelled before it began, it stays undone.
	if _, err := s.CancelExportTask(ctx, &api.CancelExportTaskInput{TaskId: id}); err != nil {
		t.Fatal(err)
	}
	_, err = s.CancelExportTask(ctx, &api.CancelExportTaskInput{TaskId: id})
	wantError(t, err, "InvalidOperationException", "The specified export task has already ended.")
	if id, err = begin("b"); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Exporter.Run(running, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer stop()
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := s.DescribeExportTasks(ctx, &api.DescribeExportTasksInput{TaskId: id})
		if err != nil {
			t.Fatal(err)
		}
		task := out.ExportTasks[0]
		if *task.Status.Code == "COMPLETED" {
			if *task.Status.Message != "Completed successfully" || task.ExecutionInfo.CompletionTime == nil || *task.TaskName != "n" {
				t.Errorf("%+v", task)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s", *task.Status.Code)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := to.text(t, "b/p/"+*id+"/web-1/000000.gz"); got != lines.String() {
		t.Errorf("%q, want %q", got, lines.String())
	}
	if got := to.text(t, "b/p/"+*id+"/web-2/000000.gz"); strings.Count(got, "\n") != 3 {
		t.Errorf("%q", got)
	}
	if len(to) != 4 {
		t.Errorf("%q", slices.Sorted(maps.Keys(to)))
	}
	page, err := s.DescribeExportTasks(ctx, &api.DescribeExportTasksInput{Limit: new(int32(1))})
	if err != nil || len(page.ExportTasks) != 1 || page.NextToken == nil {
		t.Fatalf("%+v %v", page, err)
	}
	page, err = s.DescribeExportTasks(ctx, &api.DescribeExportTasksInput{Limit: new(int32(1)), NextToken: page.NextToken})
	if err != nil || len(page.ExportTasks) != 1 || page.NextToken != nil {
		t.Errorf("%+v %v", page, err)
	}
	if page, err = s.DescribeExportTasks(ctx, &api.DescribeExportTasksInput{StatusCode: new("CANCELLED")}); err != nil || len(page.ExportTasks) != 1 {
		t.Errorf("%+v %v", page, err)
	}
}

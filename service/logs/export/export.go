// Package export writes log events to buckets: CreateExportTask and what follows.
package export

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/exports"
)

// Events is where log events are read.
type Events interface {
	Scan(ctx context.Context, ids []logs.StreamID, span logs.Span, backward bool) iter.Seq2[logs.Event, error]
}

// Why a bucket cannot be exported to.
var (
	ErrNoBucket = errors.New("export: no such bucket")
	ErrRegion   = errors.New("export: the bucket is in another region")
	ErrDenied   = errors.New("export: the bucket's policy does not let CloudWatch Logs")
)

// Owner is in whose name CloudWatch Logs writes to a bucket.
type Owner struct{ Account, Region string }

// Buckets is where exports go. Its errors are those above, or failures.
type Buckets interface {
	// MayRead answers nil when CloudWatch Logs may read who owns a bucket, as it
	// does before it writes.
	MayRead(ctx context.Context, o Owner, bucket string) error
	// Put writes an object, the content of which next gives piece by piece until
	// it is empty.
	Put(ctx context.Context, o Owner, bucket, key string, next func() ([]byte, error)) error
}

// Exporter answers the operations on export tasks, and does them.
type Exporter struct {
	deps    service.Deps
	events  Events
	buckets Buckets
	pages   *page.Sealer
	wake    chan struct{}
}

// New makes an exporter.
func New(d service.Deps, e Events, b Buckets) *Exporter {
	return &Exporter{deps: d, events: e, buckets: b, pages: page.NewSealer(d.TokenKey), wake: make(chan struct{}, 1)}
}

// defaultPrefix is where objects go whose task says nothing.
const defaultPrefix = "exportedlogs"

// CreateExportTask begins an export, if the bucket's policy lets CloudWatch Logs
// write there. An account has one at a time.
func (x *Exporter) CreateExportTask(ctx context.Context, in *api.CreateExportTaskInput) (*api.CreateExportTaskOutput, error) {
	c := auth.CallerFrom(ctx)
	if *in.From > *in.To {
		return nil, api.InvalidParameterException("The start time of the export must not be after its end time.")
	}
	e := logs.Export{
		Account: c.Account, Region: c.Region, ID: x.deps.IDs.UUID(), Name: text(in.TaskName), Group: *in.LogGroupName, StreamPrefix: text(in.LogStreamNamePrefix),
		From: *in.From, To: *in.To, Bucket: *in.Destination, Prefix: strings.Trim(text(in.DestinationPrefix), "/"),
		Status: logs.ExportPending, CreatedAt: x.deps.Now().UTC().Truncate(time.Millisecond),
	}
	if e.Prefix == "" {
		e.Prefix = defaultPrefix
	}
	if err := x.deps.Store.View(ctx, func(tx store.Tx) error { return findGroup(tx, &e) }); err != nil {
		return nil, err
	}
	if err := x.try(ctx, &e); err != nil {
		return nil, err
	}
	err := x.deps.Store.Update(ctx, func(tx store.Tx) error {
		if err := findGroup(tx, &e); err != nil {
			return err
		}
		for active, err := range exports.Exports.By(tx, exports.Active) {
			if err != nil {
				return err
			}
			if active.Account == e.Account && active.Region == e.Region {
				return api.LimitExceededException("Resource limit exceeded.")
			}
		}
		return exports.Exports.Put(tx, &e)
	})
	if err != nil {
		return nil, err
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
	return &api.CreateExportTaskOutput{TaskId: &e.ID}, nil
}

func findGroup(tx store.Tx, e *logs.Export) error {
	_, ok, err := tables.LogGroups.Find(tx, e.Account, e.Region, e.Group)
	if err == nil && !ok {
		err = api.ResourceNotFoundException("The specified log group does not exist.")
	}
	return err
}

// try writes what tells whether an export can be written.
func (x *Exporter) try(ctx context.Context, e *logs.Export) error {
	err := x.buckets.MayRead(ctx, Owner{e.Account, e.Region}, e.Bucket)
	failed := "GetBucketAcl"
	if err == nil {
		failed = "PutObject"
		err = x.buckets.Put(ctx, Owner{e.Account, e.Region}, e.Bucket, e.Prefix+"/aws-logs-write-test", once([]byte("Permission Check Successful")))
	}
	switch {
	case errors.Is(err, ErrNoBucket):
		return api.InvalidParameterException("The given bucket does not exist. Please provide a valid bucket.")
	case errors.Is(err, ErrRegion):
		return api.InvalidParameterException("The given bucket is in a different region. Please provide a bucket in the same region as the log group.")
	case errors.Is(err, ErrDenied):
		return api.InvalidParameterException(failed + " call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.")
	}
	return err
}

func once(content []byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		b := content
		content = nil
		return b, nil
	}
}

// pageSize is how many tasks a page has at most.
const pageSize = 50

// DescribeExportTasks lists tasks, the newest first.
func (x *Exporter) DescribeExportTasks(ctx context.Context, in *api.DescribeExportTasksInput) (*api.DescribeExportTasksOutput, error) {
	c := auth.CallerFrom(ctx)
	scope := []string{c.Account, c.Region, "DescribeExportTasks", text(in.TaskId), text(in.StatusCode)}
	after := ""
	if in.NextToken != nil {
		var err error
		if after, err = x.pages.Open(*in.NextToken, scope...); err != nil {
			return nil, api.InvalidParameterException("The specified nextToken is invalid.")
		}
	}
	var found []logs.Export
	err := x.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		found, err = store.Collect(exports.Exports.List(tx, c.Account, c.Region))
		return err
	})
	if err != nil {
		return nil, err
	}
	position := func(e *logs.Export) string { return tables.Stamp(e.CreatedAt) + e.ID }
	found = slices.DeleteFunc(found, func(e logs.Export) bool {
		return in.TaskId != nil && e.ID != *in.TaskId || in.StatusCode != nil && e.Status != *in.StatusCode || after != "" && position(&e) >= after
	})
	slices.SortFunc(found, func(a, b logs.Export) int { return strings.Compare(position(&b), position(&a)) })
	limit := pageSize
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &api.DescribeExportTasksOutput{ExportTasks: []api.ExportTask{}}
	for i := range found[:min(limit, len(found))] {
		out.ExportTasks = append(out.ExportTasks, show(&found[i]))
	}
	if len(found) > limit {
		out.NextToken = new(x.pages.Seal(position(&found[limit-1]), scope...))
	}
	return out, nil
}

func show(e *logs.Export) api.ExportTask {
	t := api.ExportTask{
		TaskId: &e.ID, LogGroupName: &e.Group, From: &e.From, To: &e.To, Destination: &e.Bucket, DestinationPrefix: &e.Prefix,
		Status:        &api.ExportTaskStatus{Code: &e.Status},
		ExecutionInfo: &api.ExportTaskExecutionInfo{CreationTime: new(e.CreatedAt.UnixMilli())},
	}
	if e.Name != "" {
		t.TaskName = &e.Name
	}
	if e.Message != "" {
		t.Status.Message = &e.Message
	}
	if !e.CompletedAt.IsZero() {
		t.ExecutionInfo.CompletionTime = new(e.CompletedAt.UnixMilli())
	}
	return t
}

// CancelExportTask ends a task that is still to be done. What it has written stays.
func (x *Exporter) CancelExportTask(ctx context.Context, in *api.CancelExportTaskInput) (*api.CancelExportTaskOutput, error) {
	c := auth.CallerFrom(ctx)
	err := x.deps.Store.Update(ctx, func(tx store.Tx) error {
		e, ok, err := exports.Exports.Find(tx, c.Account, c.Region, *in.TaskId)
		switch {
		case err != nil:
			return err
		case !ok:
			return api.ResourceNotFoundException("The specified export task does not exist.")
		case !e.Active():
			return api.InvalidOperationException("The specified export task has already ended.")
		}
		e.Status, e.Message, e.CompletedAt = logs.ExportCancelled, "Cancelled", x.deps.Now().UTC()
		return exports.Exports.Put(tx, &e)
	})
	if err != nil {
		return nil, err
	}
	return &api.CancelExportTaskOutput{}, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

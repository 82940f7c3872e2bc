// Package query keeps the Logs Insights queries of this process and runs them:
// first come, first served, in as many goroutines as are lent to it. What it
// keeps is in memory only.
package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"neargate/service/logs/insights"
)

// Status is how far a query has come.
type Status string

// The statuses of queries.
const (
	Scheduled Status = "Scheduled"
	Running   Status = "Running"
	Complete  Status = "Complete"
	Failed    Status = "Failed"
	Cancelled Status = "Cancelled"
	Timeout   Status = "Timeout"
)

// Limits of AWS: queries of an account and region at a time, how long one may
// run, and how long its results are kept. Source: CloudWatch Logs quotas.
const (
	MaxConcurrent = 100
	maxRuntime    = time.Hour
	keepFor       = 7 * 24 * time.Hour
)

// Limits of this process: queries that wait, queries that are kept once they
// have ended, and the bytes of their results. The oldest go first.
const (
	maxWaiting = 1000
	maxEnded   = 1000
	maxBytes   = 256 << 20
)

// Errors of Start and Stop.
var (
	ErrTooMany    = errors.New("query: too many queries of the account are open")
	ErrBusy       = errors.New("query: too many queries wait")
	ErrUnknown    = errors.New("query: no such query")
	ErrNotRunning = errors.New("query: the query is not running")
)

// Spec is a query to run.
type Spec struct {
	ID, Account, Region string
	Groups              []string // names
	Text                string
	Query               *insights.Query
	Limit               int // rows; 0 for the most
	Created             time.Time
	// Events yields the events to search, latest first.
	Events func(ctx context.Context) iter.Seq2[insights.Event, error]
}

// State is what is known of a query at a moment.
type State struct {
	Spec
	Status     Status
	Took       time.Duration // so far, without waiting
	Rows       []insights.Row
	Statistics insights.Statistics
}

// Runner keeps and runs queries. Its methods may be called concurrently.
type Runner struct {
	now     func() time.Time
	waiting chan *job

	mu    sync.Mutex
	jobs  []*job // in the order they were started
	bytes int64  // of the results of jobs
}

// job is a query and what has become of it. The runner's mutex guards its
// status, and mu its run.
type job struct {
	Spec
	status       Status
	began, ended time.Time
	cancel       context.CancelFunc // nil unless it runs
	bytes        int64

	mu  sync.Mutex
	run *insights.Run
}

// New returns a runner without queries. It runs none before Run is called.
func New(now func() time.Time) *Runner {
	return &Runner{now: now, waiting: make(chan *job, maxWaiting)}
}

// Start has a query run soon.
func (r *Runner) Start(s Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := 0
	for _, j := range r.jobs {
		if j.Account == s.Account && j.Region == s.Region && !j.over() {
			open++
		}
	}
	if open >= MaxConcurrent {
		return ErrTooMany
	}
	j := &job{Spec: s, status: Scheduled, run: s.Query.Start(s.Limit)}
	select {
	case r.waiting <- j:
	default:
		return ErrBusy
	}
	r.jobs = append(r.jobs, j)
	r.forget()
	return nil
}

func (j *job) over() bool { return j.status != Scheduled && j.status != Running }

// forget drops ended queries that are too old or too many.
func (r *Runner) forget() {
	ended := 0
	for _, j := range r.jobs {
		if j.over() {
			ended++
		}
	}
	oldest := r.now().Add(-keepFor)
	r.jobs = slices.DeleteFunc(r.jobs, func(j *job) bool {
		if !j.over() || ended <= maxEnded && r.bytes <= maxBytes && j.ended.After(oldest) {
			return false
		}
		ended--
		r.bytes -= j.bytes
		return true
	})
}

// Get returns a query of an account and region.
func (r *Runner) Get(account, region, id string) (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.find(account, region, id)
	if j == nil {
		return State{}, ErrUnknown
	}
	return r.state(j), nil
}

func (r *Runner) find(account, region, id string) *job {
	r.forget()
	i := slices.IndexFunc(r.jobs, func(j *job) bool { return j.ID == id && j.Account == account && j.Region == region })
	if i < 0 {
		return nil
	}
	return r.jobs[i]
}

func (r *Runner) state(j *job) State {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := State{Spec: j.Spec, Status: j.status, Rows: j.run.Rows(), Statistics: j.run.Statistics()}
	switch {
	case j.began.IsZero():
	case j.ended.IsZero():
		s.Took = r.now().Sub(j.began)
	default:
		s.Took = j.ended.Sub(j.began)
	}
	return s
}

// List returns the queries of an account and region, the latest first.
func (r *Runner) List(account, region string) []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	var out []State
	for _, j := range slices.Backward(r.jobs) {
		if j.Account == account && j.Region == region {
			out = append(out, r.state(j))
		}
	}
	return out
}

// Stop cancels a query that has not ended. What it has found so far stays.
func (r *Runner) Stop(account, region, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.find(account, region, id)
	switch {
	case j == nil:
		return ErrUnknown
	case j.over():
		return ErrNotRunning
	}
	r.end(j, Cancelled)
	return nil
}

// end gives a query its last status, unless it has one.
func (r *Runner) end(j *job, s Status) {
	if j.over() {
		return
	}
	j.status, j.ended = s, r.now()
	if j.cancel != nil {
		j.cancel()
	}
}

// Run runs one query after the other until ctx ends, and reports those that fail
// to log. It may be called several times at once, and runs as many queries at a
// time.
func (r *Runner) Run(ctx context.Context, log *slog.Logger) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-r.waiting:
			r.execute(ctx, log, j)
		}
	}
}

func (r *Runner) execute(ctx context.Context, log *slog.Logger, j *job) {
	ctx, cancel := context.WithTimeout(ctx, maxRuntime)
	defer cancel()
	r.mu.Lock()
	if j.over() {
		r.mu.Unlock()
		return
	}
	j.status, j.began, j.cancel = Running, r.now(), cancel
	r.mu.Unlock()

	err := j.search(ctx)
	status := Complete
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		status = Timeout
	case errors.Is(err, context.Canceled):
		status = Cancelled
	case err != nil:
		status = Failed
		log.Warn("a Logs Insights query failed", "query", j.ID, "account", j.Account, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(j, status)
	j.bytes = j.size()
	r.bytes += j.bytes
	r.forget()
}

// search feeds the query with events. A panic is an error of this query only.
func (j *job) search(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	for e, err := range j.Events(ctx) {
		if err != nil {
			return err
		}
		full, err := j.add(e)
		if err != nil {
			return err
		}
		if full {
			break
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.run.End()
}

func (j *job) add(e insights.Event) (full bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err = j.run.Add(e)
	return j.run.Full(), err
}

// size is how many bytes the results take.
func (j *job) size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, row := range j.run.Rows() {
		for _, f := range row.Fields {
			n += int64(len(f.Name) + len(f.Value))
		}
	}
	return n
}

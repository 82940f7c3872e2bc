package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/billing/book"
	"neargate/billing/estimate"
	"neargate/billing/ledger"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/store/tables/usages"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)

// world is a store and a ledger with tasks.
type world struct {
	t    *testing.T
	st   *mem.Store
	book *book.Book
	n    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := ledger.Open(ledger.Config{Dir: "ledger", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, st: mem.New()}
	w.book = &book.Book{Store: w.st, Ledger: l, Terms: billing.DefaultTerms(), Now: func() time.Time { return now }}
	t.Cleanup(func() { l.Close(); w.st.Close() })
	return w
}

// task is one of a service, begun some time ago, that took so long; none: it runs.
func (w *world) task(service string, ago, took time.Duration) *compute.Task {
	w.n++
	t := &compute.Task{Account: "123456789012", Region: "us-east-1", Cluster: "prod", ID: fmt.Sprintf("task-%d", w.n)}
	t.Spec = compute.TaskSpec{Family: "app", Revision: 2, Service: service, LaunchType: compute.Fargate, CPU: 1024, Memory: 2048, EphemeralGiB: 30}
	t.Tags = []compute.Tag{{Key: "team", Value: service + "-team"}}
	t.Attachment = compute.Attachment{PublicIP: "198.18.0.9", AttachedAt: now.Add(-ago - 2*time.Second)}
	t.State.Last, t.State.PullStartedAt = compute.Running, now.Add(-ago)
	if took > 0 {
		t.State.Last, t.State.StoppedAt = compute.Stopped, t.State.PullStartedAt.Add(took)
	}
	return t
}

func (w *world) put(tasks ...*compute.Task) {
	w.t.Helper()
	err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		for _, k := range tasks {
			if err := tables.Tasks.Put(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// meter is what control/meter and the ledger do of a stopped task, up to a step.
func (w *world) meter(k *compute.Task, steps int) {
	w.t.Helper()
	records := billing.Records(k, &w.book.Terms)
	err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		if steps < 1 {
			return nil
		}
		for i := range records {
			if err := usages.Pending.Put(tx, &records[i]); err != nil {
				return err
			}
		}
		k.Metered = true
		return tables.Tasks.Put(tx, k)
	})
	if err == nil && steps >= 2 {
		err = w.book.Ledger.Add(records)
	}
	if err == nil && steps >= 3 {
		_, err = w.book.Ledger.Drain(w.t.Context(), w.st)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) report(r Request) *Report {
	w.t.Helper()
	out, err := r.Report(w.t.Context(), w.book, now)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

var october = Request{From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}

// TestEverywhere wants the same bill wherever a task's usage is on its way from
// the task to the ledger.
func TestEverywhere(t *testing.T) {
	var want billing.Decimal
	for steps := range 4 {
		w := newWorld(t)
		running := w.task("web", time.Hour, 0)
		w.put(running)
		for range 5 {
			k := w.task("job", 50*time.Hour, 90*time.Minute)
			w.put(k)
			w.meter(k, steps)
		}
		got := w.report(october).Cost
		if steps == 0 {
			want = got
		}
		if got.Cmp(want) != 0 || got.Sign() == 0 {
			t.Errorf("after step %d: %s, want %s", steps, got, want)
		}
		for _, r := range []Request{
			{GroupBy: []string{"service", "tag:team"}}, {By: costs.Hourly}, {By: costs.Daily, GroupBy: []string{"tag:team"}},
			{Knobs: estimate.Knobs{Step: new(int64(1)), Minimum: new(int64(59))}},
		} {
			r.From, r.To = october.From, october.To
			if got := w.report(r).Cost; got.Cmp(want) != 0 {
				t.Errorf("after step %d, %+v: %s, want %s", steps, r, got, want)
			}
		}
	}
}

// TestWhileMoving asks for bills while usage moves to the ledger and tasks expire,
// and wants the same of each.
func TestWhileMoving(t *testing.T) {
	w := newWorld(t)
	rnd := rand.New(rand.NewPCG(5, 5))
	var tasks []*compute.Task
	for range 300 {
		tasks = append(tasks, w.task("job", time.Duration(rnd.Int64N(int64(100*time.Hour)))+time.Hour, time.Hour))
	}
	w.put(tasks...)
	want := w.report(october).Cost
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		for _, k := range tasks {
			records := billing.Records(k, &w.book.Terms)
			err := w.st.Update(ctx, func(tx store.Tx) error {
				for i := range records {
					if err := usages.Pending.Put(tx, &records[i]); err != nil {
						return err
					}
				}
				return tables.Tasks.Delete(tx, k.Account, k.Region, k.Cluster, k.ID)
			})
			if err == nil {
				_, err = w.book.Ledger.Drain(ctx, w.st)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := 0; ; n++ {
		if got := w.report(october).Cost; got.Cmp(want) != 0 {
			t.Fatalf("bill %d: %s, want %s", n, got, want)
		}
		select {
		case err := <-done:
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			return
		default:
		}
	}
}

// TestPrinted compares the forms of a bill with files.
func TestPrinted(t *testing.T) {
	w := newWorld(t)
	// 1 vCPU, 2 GB and 10 GB of storage for a day and an hour: by hand,
	// 25 × 0.04048 + 50 × 0.004445 + 250 × 0.000111 = 1.262.
	over := w.task("job", 50*time.Hour, 25*time.Hour)
	over.Attachment = compute.Attachment{}
	w.put(over, w.task("web", 90*time.Second, 0))
	w.meter(over, 3)
	spot := w.task("spot", time.Hour, time.Hour)
	spot.Region, spot.Spec.Architecture, spot.Spec.CapacityProvider = "ap-northeast-1", "arm64", compute.FargateSpot
	w.put(spot)
	prices, err := os.ReadFile("testdata/prices.json")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, c := range []struct {
		name string
		r    Request
	}{
		{"month", Request{}},
		{"services by day", Request{By: costs.Daily, GroupBy: []string{"service", "usage-type"}}},
		{"tags", Request{GroupBy: []string{"tag:team"}, Account: "123456789012"}},
		{"another account", Request{Account: "210987654321"}},
		{"running", Request{Running: true}},
		{"yen", Request{GroupBy: []string{"service"}, Knobs: estimate.Knobs{Currency: "JPY", Rate: "150", Discount: "20", Decimals: new(int64(0))}}},
		{"own prices", Request{GroupBy: []string{"service"}, Prices: prices}},
	} {
		if !c.r.Running {
			c.r.From, c.r.To = october.From, october.To
		}
		r := w.report(c.r)
		// As it comes from the daemon.
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		sent := new(Report)
		if err := json.Unmarshal(text, sent); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"table", "csv"} {
			fmt.Fprintf(&b, "# %s as %s\n", c.name, format)
			if err := sent.Print(&b, format); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.report(october).Print(&b, "json"); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/bills.golden"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s", b.String())
	}
	if err := w.report(october).Print(io.Discard, "xml"); err == nil {
		t.Error("a bill in XML")
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	prices, err := os.ReadFile("testdata/prices.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Request)
		want   string
	}{
		{func(r *Request) { r.To = r.From }, "ends before it begins"},
		{func(r *Request) { r.To = r.To.Add(time.Minute) }, "on the hour"},
		{func(r *Request) { r.By = "WEEKLY" }, "no step"},
		{func(r *Request) { r.By, r.To = costs.Hourly, r.From.AddDate(9, 0, 0) }, "too long"},
		{func(r *Request) { r.GroupBy = []string{"moon"} }, "nothing to group by"},
		{func(r *Request) { r.GroupBy = make([]string, 9) }, "too much"},
		{func(r *Request) { r.Running, r.GroupBy = true, []string{"service"} }, "by task"},
		{func(r *Request) { r.Prices = []byte("{") }, "price list"},
		{func(r *Request) { r.Discount = "101" }, "percent"},
		{func(r *Request) { r.Currency = "JPY" }, "rate"},
		{func(r *Request) {
			r.Prices = []byte(`{"base": "aws", "region": "us-east-1", "terms": {"freeStorageGiB": 0}}`)
		}, "freeStorageGiB"},
		{func(r *Request) {
			r.Prices = bytes.ReplaceAll(prices, []byte(`"base": "aws", "region": "us-east-1"`), []byte(`"code": "USE1", "currency": "EUR", "region": "us-east-1"`))
		}, "in EUR"},
	} {
		r := october
		c.change(&r)
		if got, err := r.Report(t.Context(), w.book, now); err == nil || !strings.Contains(err.Error(), c.want) || got != nil && len(got.Rows) > 0 {
			t.Errorf("%+v: %v, want an error with %q", r, err, c.want)
		}
	}
}

// TestExport exports what is in the ledger and what runs.
func TestExport(t *testing.T) {
	w := newWorld(t)
	over := w.task("job", 50*time.Hour, 25*time.Hour)
	w.put(over, w.task("web", 90*time.Second, 0))
	w.meter(over, 3)
	var b bytes.Buffer
	name := func(id string) string { return "n" + id }
	if err := october.Export(t.Context(), w.book, &b, "csv", name); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 1+4*2+4 {
		t.Errorf("%d lines", n)
	}
	for _, change := range []func(*Request){
		func(r *Request) { r.Running = true }, func(r *Request) { r.By = costs.Daily }, func(r *Request) { r.GroupBy = []string{"region"} },
		func(r *Request) { r.From = r.From.Add(time.Hour) }, func(r *Request) { r.To = r.From }, func(r *Request) { r.Prices = []byte("{") },
	} {
		r := october
		change(&r)
		b.Reset()
		if err := r.Export(t.Context(), w.book, &b, "csv", name); err == nil || b.Len() > 0 {
			t.Errorf("%+v: %v, %d bytes", r, err, b.Len())
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "2026-10-01 to 2026-11-01"},
		{"--month 2026-02", "2026-02-01 to 2026-03-01"},
		{"--day 2026-02-28", "2026-02-28 to 2026-03-01"},
		{"--from 2026-02-28", "2026-02-28 to 2026-03-28"},
		{"--from 2026-02-28T09 --to 2026-03-01T10", "2026-02-28 to 2026-03-01"},
		{"--group-by service,tag:team --by day", "2026-10-01 to 2026-11-01"},
		{"--running --watch --every 1s", "2026-10-01 to 2026-11-01"},
		{"--month 2026-13", `"2026-13" is no time`},
		{"--day today", `"today" is no time`},
		{"--from x", `--from: "x"`},
		{"--to x", `--to: "x"`},
		{"--to 2026-09-01", "not after"},
		{"--month 2026-10 --day 2026-10-01", "one of"},
		{"--month 2026-10 --to 2026-10-01", "one of"},
		{"--running --day 2026-10-01", "--running is of now"},
		{"--watch --every 1ms", "at least"},
		{"--format xml", "--format"},
		{"--format jsonl", "--format"},
		{"--output file", "for exports"},
		{"--group-by moon", "nothing to group by"},
		{"--by week", "hour, day or month"},
	} {
		var o Options
		fs := flag.NewFlagSet("bill", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		o.Flags(fs, now)
		err := fs.Parse(strings.Fields(c.args))
		if err == nil {
			err = o.Check()
		}
		got := o.From.Format(time.DateOnly) + " to " + o.To.Format(time.DateOnly)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
	}
}

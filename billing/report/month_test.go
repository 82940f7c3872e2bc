package report

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"neargate/billing/book"
	"neargate/billing/ledger"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
	"neargate/resource/compute"
	"neargate/store/mem"
)

// monthTasks is how many tasks BenchmarkMonth records.
var monthTasks = flag.Int("month.tasks", 30_000, "tasks of BenchmarkMonth; bench/bill.sh has three million")

// monthRecords are the records of a task of a month: two a task, of a hundred
// services on five clusters, five teams, a minute to an hour each.
func monthRecords(i int) []billing.Record {
	t := compute.Task{Account: "123456789012", Region: "us-east-1", Cluster: fmt.Sprint("cluster-", i%5), ID: fmt.Sprintf("%032x", i)}
	t.Spec = compute.TaskSpec{
		Family: fmt.Sprint("app-", i%20), Revision: 1 + i%3, Service: fmt.Sprint("service-", i%100), LaunchType: compute.Fargate,
		CPU: 256, Memory: 512,
	}
	t.Tags = []compute.Tag{{Key: "aws:ecs:clusterName", Value: t.Cluster}, {Key: "team", Value: fmt.Sprint("team-", i%5)}}
	month := 31 * 24 * time.Hour
	t.State.PullStartedAt = october.From.Add(time.Duration(float64(month) * float64(i) / float64(*monthTasks)))
	t.State.StoppedAt = t.State.PullStartedAt.Add(time.Duration(60+i*7919%3540) * time.Second)
	terms := billing.DefaultTerms()
	return billing.Records(&t, &terms)
}

// BenchmarkMonth records a month of tasks and bills it. Beside each report is the
// reading of as many records as JSON from a file: what a bill without sums would
// cost at least.
func BenchmarkMonth(b *testing.B) {
	dir := b.TempDir()
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(dir, "ledger")})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	st := mem.New()
	defer st.Close()
	plain, err := os.Create(filepath.Join(dir, "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	enc := json.NewEncoder(plain)
	began, n := time.Now(), 0
	for i := 0; i < *monthTasks; {
		var batch []billing.Record
		for ; len(batch) < 2000 && i < *monthTasks; i++ {
			batch = append(batch, monthRecords(i)...)
		}
		if err := l.Add(batch); err != nil {
			b.Fatal(err)
		}
		n += len(batch)
		if i <= 30_000 {
			for j := range batch {
				if err := enc.Encode(&batch[j]); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	took := time.Since(began)
	fmt.Printf("%d records added at %.0f/s, %.1f bytes each on disk, heap %d MB\n", n, float64(n)/took.Seconds(), float64(size(b, filepath.Join(dir, "ledger")))/float64(n), heap()>>20)
	w := &book.Book{Store: st, Ledger: l, Terms: billing.DefaultTerms(), Now: func() time.Time { return now.AddDate(0, 1, 0) }}
	for _, c := range []struct {
		name string
		by   []string
		step costs.Step
	}{
		{"total", nil, ""}, {"service", []string{"service"}, ""}, {"service-by-day", []string{"cluster", "service", "usage-type"}, costs.Daily},
		{"team", []string{"tag:team"}, ""}, {"service-by-hour", []string{"service"}, costs.Hourly},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := october
			r.GroupBy, r.By = c.by, c.step
			defer perProcessor(b)()
			for b.Loop() {
				if _, err := r.Report(b.Context(), w, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("plain-60000-records", func(b *testing.B) {
		defer perProcessor(b)()
		for b.Loop() {
			if _, err := plain.Seek(0, 0); err != nil {
				b.Fatal(err)
			}
			d := json.NewDecoder(plain)
			for d.More() {
				var r billing.Record
				if err := d.Decode(&r); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// perProcessor adds the processor's time to what a benchmark reports, which other
// work on the machine changes little.
func perProcessor(b *testing.B) (done func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := used()
	return func() { b.ReportMetric(float64((used()-began).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func size(b *testing.B, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			n += i.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// TestMonth wants of the sums what the records cost one by one.
func TestMonth(t *testing.T) {
	was := *monthTasks
	*monthTasks = 2000
	defer func() { *monthTasks = was }()
	w := newWorld(t)
	list, err := billing.AWS("us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	var want billing.Decimal
	for batch := range slices.Chunk(make([]struct{}, *monthTasks), 100) {
		var records []billing.Record
		for range batch {
			records = append(records, monthRecords(w.n)...)
			w.n++
		}
		for i := range records {
			lines, err := list.ChargeUse(records[i].Use(), records[i].Start, records[i].Seconds)
			if err != nil {
				t.Fatal(err)
			}
			want = want.Add(billing.Total(lines))
		}
		if err := w.book.Ledger.Add(records); err != nil {
			t.Fatal(err)
		}
	}
	r := october
	r.To = r.To.AddDate(0, 0, 1) // the last tasks end in November
	for _, by := range [][]string{nil, {"tag:team"}, {"service", "usage-type"}} {
		r.GroupBy = by
		if got := w.report(r).Cost; got.Cmp(want) != 0 {
			t.Errorf("by %v: %s, want %s", by, got, want)
		}
	}
}

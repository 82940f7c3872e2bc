package billing

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%swant\n%s", name, got, want)
	}
}

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

func aws(t *testing.T, region string) *List {
	t.Helper()
	l, err := AWS(region)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// examples are the worked examples of AWS's pricing page: each task runs so many
// seconds on each of 30 days.
var examples = []struct {
	name           string
	size           Size
	seconds, tasks int64
	amounts, total string // as the page has them
}{
	{"1 Linux/x86", Size{CPU: 1024, Memory: 2048, StorageGiB: 30}, 600, 5, "1.01 0.22 0.03", "1.26"},
	{"2 Linux/ARM", Size{CPU: 1024, Memory: 2048, StorageGiB: 30, Architecture: "ARM64"}, 600, 5, "0.81 0.18 0.03", "1.02"},
	{"3 pods", Size{CPU: 256, Memory: 1024}, 3600, 10, "3.04 1.33", "4.37"},
	{"4 Windows", Size{CPU: 1024, Memory: 2048, OSFamily: "WINDOWS_SERVER_2019_CORE"}, 3600, 10, "27.45 13.80 6.00", "47.25"},
}

func workedExamples(t *testing.T, l *List, at time.Time, asOnPage bool) string {
	var b strings.Builder
	for _, x := range examples {
		lines, err := l.Charge(x.size, at, x.seconds, x.tasks*30)
		if err != nil {
			t.Fatal(x.name, err)
		}
		fmt.Fprintf(&b, "example %s\n", x.name)
		var amounts []string
		for _, n := range lines {
			amounts = append(amounts, n.Net.Text(2))
			fmt.Fprintf(&b, "  %s: %s %s at %s = %s, %s\n", n.UsageType, n.Quantity, n.Unit, n.Price, n.Net, n.Net.Text(2))
		}
		total := Total(lines)
		fmt.Fprintf(&b, "  total %s, %s\n", total, total.Text(2))
		if got := strings.Join(amounts, " "); asOnPage && (got != x.amounts || total.Text(2) != x.total) {
			t.Errorf("example %s costs %s, together %s; on AWS's page %s, %s", x.name, got, total.Text(2), x.amounts, x.total)
		}
	}
	return b.String()
}

func TestWorkedExamples(t *testing.T) {
	page, err := Page()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "examples-page.golden", workedExamples(t, page, day("2026-10-01"), true))
}

// TestWorkedExamplesAtListPrices shows where the price list and the page agree
// (1 to 3), and where not (4).
func TestWorkedExamplesAtListPrices(t *testing.T) {
	for _, on := range []string{"2022-12-01", "2026-10-01"} {
		golden(t, "examples-list-"+on+".golden", workedExamples(t, aws(t, "us-east-1"), day(on), false))
	}
}

func TestHandChecks(t *testing.T) {
	for _, c := range []struct {
		region  string
		size    Size
		seconds int64
		want    string
	}{
		{"us-east-1", Size{CPU: 256, Memory: 512}, 3600, "0.0123425"},
		{"us-east-1", Size{CPU: 256, Memory: 512}, 24 * 3600, "0.29622"},
		{"ap-northeast-1", Size{CPU: 2048, Memory: 4096}, 3600, "0.12324"},
		{"eu-central-1", Size{CPU: 2048, Memory: 4096, Architecture: "ARM64"}, 730 * 3600, "66.3278"},
		{"us-east-1", Size{CPU: 1024, Memory: 2048, StorageGiB: 20}, 3600, "0.04937"},
		{"us-east-1", Size{CPU: 1024, Memory: 2048, StorageGiB: 21}, 3600, "0.049481"},
		{"us-east-1", Size{CPU: 1024, Memory: 2048}, 0, "0.000822833333333333"},  // a minute at least
		{"us-east-1", Size{CPU: 1024, Memory: 2048}, 61, "0.000836547222222222"}, // then by the second
		{"us-east-2", Size{CPU: 1024, Memory: 2048, OSFamily: "WINDOWS_SERVER_2022_FULL"}, 1, "0.008564625"},
	} {
		lines, err := aws(t, c.region).Charge(c.size, day("2026-10-01"), c.seconds, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := Total(lines).String(); got != c.want {
			t.Errorf("%s %+v for %d s costs %s, want %s", c.region, c.size, c.seconds, got, c.want)
		}
	}
}

func TestImpossible(t *testing.T) {
	ok := Size{CPU: 1024, Memory: 2048}
	for _, c := range []struct {
		size           Size
		seconds, tasks int64
		want           string
	}{
		{Size{CPU: 1024, Memory: 1024}, 1, 1, "no task on Fargate has 1 vCPU and 1 GB"},
		{Size{CPU: 256, Memory: 512, OSFamily: "WINDOWS_SERVER_2019_CORE"}, 1, 1, "no task on Fargate has 0.25 vCPU and 0.5 GB on Windows"},
		{Size{}, 1, 1, "no task on Fargate has 0 vCPU"},
		{Size{CPU: 1024, Memory: 2048, StorageGiB: 19}, 1, 1, "19 GB of ephemeral storage"},
		{Size{CPU: 1024, Memory: 2048, StorageGiB: 201}, 1, 1, "201 GB of ephemeral storage"},
		{Size{CPU: 1024, Memory: 2048, Architecture: "riscv"}, 1, 1, `"riscv" is no CPU architecture`},
		{Size{CPU: 1024, Memory: 2048, OSFamily: "PLAN9"}, 1, 1, `"PLAN9" is no operating system family`},
		{Size{CPU: 1024, Memory: 2048, OSFamily: "WINDOWS_SERVER_2019_CORE", Architecture: "ARM64"}, 1, 1, "Windows on ARM64"},
		{Size{CPU: 1024, Memory: 2048, OSFamily: "WINDOWS_SERVER_2019_CORE", Spot: true}, 1, 1, "Windows on Spot"},
		{ok, -1, 1, "less than 0"},
		{ok, 1, -1, "less than 0"},
		{ok, 1 << 62, 1, "ten years"},
	} {
		lines, err := aws(t, "us-east-1").Charge(c.size, day("2026-10-01"), c.seconds, c.tasks)
		if err == nil || !strings.Contains(err.Error(), c.want) || lines != nil {
			t.Errorf("%+v: got %v, %v; want an error with %q", c.size, lines, err, c.want)
		}
	}
}

func TestNoPrice(t *testing.T) {
	l := aws(t, "ap-northeast-1")
	_, err := l.Charge(Size{CPU: 1024, Memory: 2048, OSFamily: "WINDOWS_SERVER_2019_CORE"}, day("2026-10-01"), 60, 1)
	none, ok := errors.AsType[*NoPrice](err)
	if !ok || none.UsageType != "APN1-Fargate-Windows-vCPU-Hours:perCPU" || !none.First.IsZero() {
		t.Errorf("Windows in Tokyo: %v", err)
	}
	_, err = l.Charge(Size{CPU: 1024, Memory: 2048}, day("2017-01-01"), 60, 1)
	if none, ok = errors.AsType[*NoPrice](err); !ok || !none.First.Equal(day("2018-07-03")) {
		t.Errorf("before the first price: %v", err)
	}
}

// series is a list whose one dimension changes its price at the given days.
func series(t *testing.T, prices ...string) *List {
	t.Helper()
	rows := make([]string, len(prices))
	for i, p := range prices {
		from, price, _ := strings.Cut(p, " ")
		rows[i] = fmt.Sprintf(`{"service": "AmazonECS", "usageType": "APN1-SpotUsage-Fargate-vCPU-Hours:perCPU", "unit": "hours", "price": %q, "from": %q, "source": "own"}`, price, from)
	}
	l, err := ReadList([]byte(`{"region": "ap-northeast-1", "code": "APN1", "currency": "USD",
		"sources": {"own": {"what": "own", "date": "2026-01-01"}}, "prices": [` + strings.Join(rows, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestSpotSeries prices runs across changes of a price second by second, and
// wants the same of one charge, however the run is cut.
func TestSpotSeries(t *testing.T) {
	l := series(t, "2026-03-03 0.03", "2026-03-01 0.01", "2026-03-02 0.02")
	rnd := rand.New(rand.NewPCG(6, 6))
	for range 40 {
		began := day("2026-03-01").Add(time.Duration(rnd.Int64N(int64(50 * time.Hour))))
		u := Use{SpotVCPU, Ratio(1+rnd.Int64N(8), 4)}
		seconds := 1 + rnd.Int64N(3*24*3600)
		var want Decimal
		for n := began; n.Before(began.Add(time.Duration(seconds) * time.Second)); {
			p, err := l.PriceAt(SpotVCPU, n)
			if err != nil {
				t.Fatal(err)
			}
			step := int64(1)
			if next := n.Truncate(24 * time.Hour).Add(24 * time.Hour); next.Sub(n) > time.Hour {
				step = min(3600, seconds-int64(n.Sub(began)/time.Second))
			}
			want = want.Add(p.Amount.Mul(u.Amount).Mul(Ratio(step, 3600)))
			n = n.Add(time.Duration(step) * time.Second)
		}
		lines, err := l.ChargeUse(u, began, seconds)
		if err != nil {
			t.Fatal(err)
		}
		if got := Total(lines); got.Cmp(want) != 0 {
			t.Fatalf("%s for %d s: %s, second by second %s", began, seconds, got, want)
		}
		cut := rnd.Int64N(seconds + 1)
		one, err1 := l.ChargeUse(u, began, cut)
		two, err2 := l.ChargeUse(u, began.Add(time.Duration(cut)*time.Second), seconds-cut)
		if err := errors.Join(err1, err2); err != nil || Total(one).Add(Total(two)).Cmp(want) != 0 {
			t.Fatalf("cut at %d of %d: %v + %v (%v), want %s", cut, seconds, Total(one), Total(two), err, want)
		}
	}
}

func TestDiscountsAndCurrency(t *testing.T) {
	l := aws(t, "us-east-1")
	l.Terms.Discounts = []Discount{{Name: "plan", Percent: Int(20)}, {Name: "storage", Percent: Int(50), Usage: []Dimension{Storage, VCPU}}}
	l.Terms.Currency, l.Terms.Rate = "JPY", Int(150)
	lines, err := l.Charge(Size{CPU: 1024, Memory: 2048, StorageGiB: 120}, day("2026-10-01"), 3600, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"6.072 2.4288", "1.3335 1.0668", "1.665 0.8325"} {
		if got := fmt.Sprint(lines[i].Gross, " ", lines[i].Net); got != want {
			t.Errorf("%s: %s, want %s", lines[i].UsageType, got, want)
		}
	}
	if l.Money() != "JPY" {
		t.Error(l.Money())
	}
}

// TestNothingFree charges for the storage every task has when none is free.
func TestNothingFree(t *testing.T) {
	l := aws(t, "us-east-1")
	l.Terms.FreeStorageGiB = 0
	for _, size := range []Size{{CPU: 1024, Memory: 2048}, {CPU: 1024, Memory: 2048, StorageGiB: 20}} {
		lines, err := l.Charge(size, day("2026-10-01"), 3600, 1)
		if err != nil || len(lines) != 3 || lines[2].Net.String() != "0.00222" {
			t.Errorf("%+v: %+v, %v", size, lines, err)
		}
	}
}

func TestBillable(t *testing.T) {
	aws := DefaultTerms()
	minute := Terms{MinimumSeconds: 90, StepSeconds: 60}
	for _, c := range []struct {
		terms   Terms
		windows bool
		in, out int64
	}{
		{aws, false, 0, 60}, {aws, false, 59, 60}, {aws, false, 61, 61}, {aws, true, 61, 300}, {aws, true, 301, 301},
		{minute, false, 1, 120}, {minute, false, 121, 180}, {minute, true, 0, 0}, {minute, true, 1, 60},
	} {
		if got := c.terms.Billable(c.in, c.windows); got != c.out {
			t.Errorf("%+v: %d s are %d, want %d", c.terms, c.in, got, c.out)
		}
	}
}

package insights

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"neargate/resource/logs"
	"neargate/service/logs/insights/expr"
)

const t0 = 1772366400000 // 2026-03-01 12:00:00 UTC

// events are messages a minute apart, the first the earliest.
func events(messages ...string) []Event {
	var out []Event
	for i, m := range messages {
		out = append(out, Event{
			Event: logs.Event{Message: m, At: logs.Position{Time: t0 + int64(i)*60_000, Seq: uint64(t0+5) << 21}},
			Log:   "123456789012:g", StreamName: fmt.Sprintf("s%d", i%2),
		})
	}
	return out
}

// run runs a query over events, latest first, and prints its rows.
func run(t *testing.T, text string, max int, all []Event) (string, Statistics) {
	t.Helper()
	q, err := Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r := q.Start(max)
	for _, e := range slices.Backward(all) {
		if err := r.Add(e); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if r.Full() {
			break
		}
	}
	if err := r.End(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return show(r.Rows()), r.Statistics()
}

func show(rows []Row) string {
	var lines []string
	for _, r := range rows {
		var fields []string
		for _, f := range r.Fields {
			fields = append(fields, f.Name+"="+f.Value)
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	return strings.Join(lines, "\n")
}

var requests = events(
	`{"status":200,"ms":10.5,"path":"/a","user":{"name":"ann","roles":["x","y"]}}`,
	`{"status":500,"ms":200,"path":"/b","user":{"name":"bob"},"error":"Exception: no"}`,
	`plain text`,
	`{"status":404,"ms":3,"path":"/a","@odd":"k","user":{"name":"ann"}}`,
	`{"status":"200","ms":40,"path":"/c"}`,
)

func TestQueries(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{`fields path, status | filter status = 200`, "path=/c status=200\npath=/a status=200"},
		{`fields path | filter status like /2\d\d/ | limit 1`, "path=/c"},
		{`filter (ms>100)`, "@timestamp=2026-03-01 12:01:00.000 @message=" + requests[1].Message},
		{`fields path | filter status in [300,404,500] | sort ms asc`, "path=/a\npath=/b"},
		{`fields path | filter ispresent(error)`, "path=/b"},
		{`fields path | filter path = "/a" and not (status = 404 or ms > 100)`, "path=/a"},
		{`fields user.name as who, user.roles.1 as role | filter user.name = "ann"`, "who=ann\nwho=ann role=y"},
		{`fields user.roles[0], user | filter user.name = "ann" | sort @timestamp`, "user.roles.0=x\n"},
		{"fields @@odd, `@@odd` as odd | filter ispresent(@@odd)", "@@odd=k odd=k"},
		{`fields @logStream, @log, @ingestionTime | limit 1`, "@logStream=s0 @log=123456789012:g @ingestionTime=2026-03-01 12:00:00.005"},
		{`fields concat(path, '-', status) as opStatus, abs(ms-50) | filter status = 500`, "opStatus=/b-500 abs(ms-50)=150"},
		// The later commands see what the earlier ones name, not their own.
		{`fields ms * 2 as twice, twice + 1 as more | fields twice + 1 as late | filter path = "/b"`, "twice=400 late=401"},
		{`fields path, path, status as path | filter status = 500`, "path=500"},
		{`fields @timestamp | display path | display ms, status = 500 as failed | filter ispresent(ms) | sort ms desc | limit 2`, "ms=200 failed=1\nms=40 failed=0"},
		{`FIELDS path | FILTER status IN ["500"] | SORT path DESC | LIMIT 5`, "path=/b"},
		{"# all of them\nfields path\n   # | filter path = 1\n| limit 1 # one", "path=/c"},

		{`stats count(*)`, "count(*)=5"},
		{`stats count(*) as n, count(error), sum(ms), avg(ms), min(ms), max(ms), stddev(ms), count_distinct(user.name) as users`,
			"n=5 count(error)=1 sum(ms)=253.5 avg(ms)=63.375 min(ms)=3 max(ms)=200 stddev(ms)=80.0838 users=2"},
		{`stats pct(ms, 50) as p50, pct(ms, 100) as p100, pct(ms, 0)`, "p50=10.5 p100=200 pct(ms, 0)=3"},
		{`filter ispresent(status) | stats count(*) as n by status | sort n desc, status asc`, "status=200 n=2\nstatus=404 n=1\nstatus=500 n=1"},
		{`stats count(*) by bin(2m)`, "bin(2m)=2026-03-01 12:04:00.000 count(*)=1\nbin(2m)=2026-03-01 12:02:00.000 count(*)=2\nbin(2m)=2026-03-01 12:00:00.000 count(*)=2"},
		{`stats count(*) by bin(2m) as t, path | sort t asc, count(*) desc | limit 2`, "t=2026-03-01 12:00:00.000 path=/b count(*)=1\nt=2026-03-01 12:00:00.000 path=/a count(*)=1"},
		{`stats max(ms) as hi, min(ms) as lo, hi - lo as spread, max(ms) - min(ms)`, "hi=200 lo=3 spread=197 max(ms) - min(ms)=197"},
		{`stats earliest(path), latest(path), earliest(@timestamp), sortsFirst(path), sortsLast(path)`,
			"earliest(path)=/a latest(path)=/c earliest(@timestamp)=1772366400000 sortsFirst(path)=/a sortsLast(path)=/c"},
		{`stats count(*) as n by path | stats max(n) as most, count(*) as paths`, "most=2 paths=4"},
		{`stats count(*) as n by path | filter n > 1 | fields n * 10 as ten`, "path=/a n=2 ten=20"},
		{`filter path = "/none" | stats count(*), sum(ms)`, ""},
		{`stats sum(nothing), avg(path), count(nothing)`, "count(nothing)=0"},

		{`fields @timestamp, path | sort path asc, @timestamp desc | dedup path`,
			"@timestamp=2026-03-01 12:02:00.000\n@timestamp=2026-03-01 12:03:00.000 path=/a\n@timestamp=2026-03-01 12:01:00.000 path=/b\n@timestamp=2026-03-01 12:04:00.000 path=/c"},
		{`fields path | filter ispresent(path) | dedup path | limit 2`, "path=/c\npath=/a"},
		{`fields jsonParse('[1,"b"]') as l | unnest l into x | display x | limit 3`, "x=1\nx=b\nx=1"},
		{`fields jsonParse(@message) as m | fields m.user.name as who, m.ms as ms | display who, ms | filter m.status = 500`, "who=bob ms=200"},
	} {
		if got, _ := run(t, tt.query, 0, requests); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.query, got, tt.want)
		}
	}
}

// TestParse takes AWS's own examples.
func TestParse(t *testing.T) {
	line := events("25 May 2019 10:24:39,474 [ERROR] {foo=2, bar=data} The error was: DataIntegrityException")
	parts := "level=ERROR config={foo=2, bar=data} exception=DataIntegrityException"
	users := events("user=ann, method:GET, latency := 10", "user=bob, method:PUT, latency := 50", "user=ann, method:GET, latency := 20", "other")
	for _, tt := range []struct {
		query  string
		events []Event
		want   string
	}{
		{`fields @timestamp | parse @message "[*] * The error was: *" as level, config, exception | display level, config, exception`, line, parts},
		{`parse @message /\[(?<level>\S+)\]\s+(?<config>\{.*\})\s+The error was: (?<exception>\S+)/ | display level, config, exception`, line, parts},
		{`parse "[*]" as level | fields level`, line, "level=ERROR"},
		{`parse @message "[*]" as level`, line, "@timestamp=2026-03-01 12:00:00.000 @message=" + line[0].Message + " level=ERROR"},
		{`parse @message "*,*" as first, rest | parse rest "* [*] *" as ms, level, text | display first, ms, level`, line, "first=25 May 2019 10:24:39 ms=474 level=ERROR"},
		{`parse @message "user=*, method:*, latency := *" as @user, @method, @latency | filter ispresent(@user) | stats avg(@latency) by @method, @user | sort @user`,
			users, "@method=GET @user=ann avg(@latency)=15\n@method=PUT @user=bob avg(@latency)=50"},
		{`FIELDS @message | PARSE @message "* [*] *" as loggingTime, loggingType, loggingMessage | FILTER loggingType IN ["ERROR", "INFO"] | DISPLAY loggingType = "ERROR" as isError`, line, "isError=1"},
		{`parse @message "none *" as x | display x, ispresent(x) as p`, line, "p=0"},
	} {
		if got, _ := run(t, tt.query, 0, tt.events); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.query, got, tt.want)
		}
	}
}

func TestStatistics(t *testing.T) {
	var bytes int64
	for _, e := range requests {
		bytes += int64(len(e.Message))
	}
	for query, want := range map[string]Statistics{
		`fields path | limit 1`: {5, 5, bytes},
		`filter ispresent(path) | parse path "/*" as p | filter p = "a" | stats count(*)`: {5, 2, bytes},
		`stats count(*) as n by path | filter n > 1`:                                      {5, 5, bytes},
		`fields path | limit any 1`:                                                       {1, 1, int64(len(requests[4].Message))},
	} {
		if _, got := run(t, query, 0, requests); got != want {
			t.Errorf("%s: %+v, want %+v", query, got, want)
		}
	}
}

func TestRowsAreFromEvents(t *testing.T) {
	q, _ := Compile("fields @message | sort @timestamp asc | limit 2")
	r := q.Start(0)
	for _, e := range slices.Backward(requests) {
		if err := r.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	for i, row := range r.Rows() {
		if row.Event.At != requests[i].At || row.Event.StreamName != requests[i].StreamName {
			t.Errorf("row %d is from %+v", i, row.Event)
		}
	}
}

func TestMostRows(t *testing.T) {
	var many []string
	for i := range MaxRows + 50 {
		many = append(many, fmt.Sprintf(`{"i":%d}`, i))
	}
	all := events(many...)
	for query, want := range map[string]string{
		"fields i":                                "10049 50",
		"fields i | sort i asc":                   "0 9999",
		"fields i | sort i desc | limit 10":       "10049 10040",
		"fields i | sort i asc | filter i > 9000": "9001 10049",
		"fields i | dedup i":                      "10049 50",
	} {
		got, _ := run(t, query, 0, all)
		lines := strings.Split(got, "\n")
		if ends := strings.ReplaceAll(lines[0]+" "+lines[len(lines)-1], "i=", ""); ends != want {
			t.Errorf("%s: %d rows, %s, want %s", query, len(lines), ends, want)
		}
	}
	if got, _ := run(t, "fields i | limit 50", 3, all); got != "i=10049\ni=10048\ni=10047" {
		t.Errorf("asked for 3: %s", got)
	}
}

// TestSketches compares aggregations of many values with the truth.
func TestSketches(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	const n = 100_000
	d, p := &distinctCount{}, &percentile{percent: 95}
	var values []float64
	for range n {
		x := r.ExpFloat64() * 1000
		values = append(values, x)
		p.add(expr.Num(x), nil)
	}
	for i := range n {
		d.add(expr.Num(float64(i%(n/2))), nil)
	}
	slices.Sort(values)
	within := func(name string, got expr.Value, want, part float64) {
		if f, _ := got.Number(); f < want*(1-part) || f > want*(1+part) {
			t.Errorf("%s: %v, want %v", name, f, want)
		}
	}
	within("distinct", d.result(), n/2, 0.1)
	within("p95", p.result(), values[n*95/100-1], 0.011)
	if len(d.hashes) > 2*maxHashes || p.values != nil {
		t.Error("all values are kept")
	}
	for _, x := range []float64{-100, -1, 0, 1, 1e-9, 1e12} {
		if m := bucketOf(x).middle(); x != 0 && (m/x < 0.99 || m/x > 1.01) || x == 0 && m != 0 {
			t.Errorf("%v is counted as %v", x, m)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	for _, query := range []string{"fields @message | sort @message | filter 1 = 1", "stats count(*) by concat(toMillis(@timestamp), @message)", "fields @message"} {
		q, err := Compile(query)
		if err != nil {
			t.Fatal(err)
		}
		r := q.Start(0)
		for i := range 200 {
			e := Event{Event: logs.Event{Message: big[:1<<20-20], At: logs.Position{Time: int64(i)}}}
			if err = r.Add(e); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrMemory) {
			t.Errorf("%s: %v", query, err)
		}
	}
	// What is sorted and not needed is forgotten in time.
	q, _ := Compile("sort @timestamp desc | limit 1")
	r := q.Start(0)
	for i := range 200 {
		if err := r.Add(Event{Event: logs.Event{Message: big, At: logs.Position{Time: int64(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for query, want := range map[string]string{
		"":                                     "unexpected end of query",
		"# only a comment":                     "unexpected end of query",
		"fields @message |":                    "unexpected end of query",
		"fields":                               "unexpected end of query",
		"fields a b":                           "unexpected symbol found b",
		"select a":                             "unexpected symbol found select",
		"pattern @message":                     "unexpected symbol found pattern",
		"fields a | dedup a | sort a":          "unexpected symbol found sort",
		"limit 0":                              "limit must be a number from 1 to 10000, not 0",
		"limit 10001":                          "limit must be a number from 1 to 10000, not 10001",
		"limit x":                              "unexpected symbol found x",
		`parse @message "* *" as a`:            "the expression has 2 wildcards and 1 names",
		`parse @message "*"`:                   "unexpected end of query",
		`parse @message /a(b)/`:                "the regular expression has no named capturing group",
		`parse @message /(?<a>x)(?=y)/`:        "invalid regular expression: invalid or unsupported Perl syntax: `(?=`",
		"stats sum(max(a))":                    "aggregation functions cannot be nested",
		"stats sum()":                          "wrong number of arguments for function sum",
		"stats sum(*)":                         "wrong number of arguments for function sum",
		"stats pct(a, b)":                      "the percentile must be a number from 0 to 100 for function pct",
		"stats pct(a, 101)":                    "the percentile must be a number from 0 to 100 for function pct",
		"fields count(*)":                      "unknown function count",
		"stats count(*) as n | sort sum(n)":    "unknown function sum",
		"filter a = 1 | stats count(*) by":     "unexpected end of query",
		"unnest a":                             "unexpected end of query",
		"fields a as 1":                        "unexpected symbol found 1",
		`filter a like "x" | filter like /x/`:  "unexpected symbol found /x/",
		"fields jsonParse(@message).a":         "unexpected symbol found .",
		"sort @timestamp desc limit 1":         "unexpected symbol found limit",
		"filter @message like /x/ and fields;": "unexpected symbol found ;",
	} {
		_, err := Compile(query)
		if got, ok := errors.AsType[*expr.Error](err); !ok || got.Message != want {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

// TestDocumentedQueries compiles the sample queries of AWS's user guide.
func TestDocumentedQueries(t *testing.T) {
	for _, query := range []string{
		"fields `foo-bar`, action, abs(f3-f4)",
		"filter @type = \"REPORT\" | stats max(@memorySize / 1000 / 1000) as provisonedMemoryMB, min(@maxMemoryUsed / 1000 / 1000) as smallest, provisonedMemoryMB - smallest as over",
		"filter @type = \"REPORT\" |\n stats avg(@duration), max(@duration), min(@duration) by bin(5m)",
		"stats sum(packets) as packetsTransferred by srcAddr, dstAddr | sort packetsTransferred  desc | limit 15",
		`filter isIpv4InSubnet(srcAddr, "192.0.2.0/24") | stats sum(bytes) as bytesTransferred by dstAddr`,
		`filter logStatus="SKIPDATA" | stats count(*) by bin(1h) as t | sort t`,
		`filter (eventName="StartInstances" or eventName="StopInstances") and awsRegion="us-east-2"`,
		`filter eventName="CreateUser" | fields awsRegion, requestParameters.userName, responseElements.user.arn`,
		`filter (dstAddr like 'x.x.x.x' and srcAddr like 'y.y.') or (srcAddr like 'xxx' and dstAddr not like 'y.y.') | stats sum(bytes) as b by srcAddr, dstAddr`,
		`parse @message /user=(?<user2>.*?), method:(?<method2>.*?), latency := (?<latency2>.*?)/ | stats avg(latency2) by @method2, @user2`,
		`fields @timestamp, server, severity, message | sort @timestamp asc | dedup server, severity`,
		`fields f1, f2, f3 | filter f3 like /E*/`,
	} {
		if _, err := Compile(query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// FuzzQuery compiles and runs any text: it ends, in an error or in rows.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"fields a, b as c | filter a like /x/ | sort a desc | limit 5", `parse @message "* [*] *" as a, b, c | stats count(*), pct(a, 50) by bin(5m)`,
		"dedup a", "unnest a into b", "stats max(a)-min(b) as c by d | sort c", "`", "fields a[0].`b`", "limit any 3", `filter a in [1, "x"] # c`, "fields -(-1) ^ 2 % 3", "stats a by bin(99999999y)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Compile(text)
		if err != nil {
			e, ok := errors.AsType[*expr.Error](err)
			if !ok || e.Start > e.End || e.End > len([]rune(text)) {
				t.Fatalf("%q: %+v", text, err)
			}
			return
		}
		r := q.Start(3)
		for _, e := range requests {
			if err := r.Add(e); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		if err := r.End(); err != nil || len(r.Rows()) > 3 {
			t.Fatalf("%q: %d rows, %v", text, len(r.Rows()), err)
		}
	})
}

// BenchmarkQuery runs queries over JSON lines of about 100 bytes.
func BenchmarkQuery(b *testing.B) {
	var all []Event
	for i := range 10_000 {
		all = append(all, events(fmt.Sprintf(`{"level":"info","status":%d,"ms":%d.5,"path":"/api/v1/items/%d","user":{"name":"u%d"}}`, 200+i%4*100, i%977, i%50, i%300))[0])
	}
	for name, text := range map[string]string{
		"text":  "filter @message like /items.7/ | limit 20",
		"json":  "filter status >= 500 | fields path | sort ms desc | limit 20",
		"stats": "stats count(*), avg(ms), pct(ms, 99), count_distinct(user.name) by bin(5m), path",
		"parse": `parse @message '"path":"*"' as p | stats count(*) by p`,
	} {
		b.Run(name, func(b *testing.B) {
			q, err := Compile(text)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				r := q.Start(0)
				for _, e := range all {
					if err := r.Add(e); err != nil {
						b.Fatal(err)
					}
				}
				if err := r.End(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(all)*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

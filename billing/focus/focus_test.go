package focus

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/resource/billing"
	"neargate/resource/compute"
)

func record(d billing.Dimension, start string, seconds, units int64) billing.Record {
	at, err := time.Parse(time.RFC3339Nano, start)
	if err != nil {
		panic(err)
	}
	return billing.Record{
		Task: "0123456789abcdef0123456789abcdef", Start: at, End: at.Add(time.Duration(seconds)*time.Second - 1), Seconds: seconds, Units: units,
		Labels: billing.Labels{
			Account: "123456789012", Region: "us-east-1", Cluster: "prod", Service: "web", Family: "app", Revision: 3, Dimension: d,
			Tags: []compute.Tag{{Key: "team", Value: `a "b", c`}, {Key: "aws:ecs:clusterName", Value: "prod"}},
		},
	}
}

// thing is a record of what is no task.
func thing(d billing.Dimension, name string, seconds, units int64) billing.Record {
	r := record(d, "2026-10-30T20:00:00Z", seconds, units)
	r.Task, r.Cluster, r.Service, r.Family, r.Revision = name, "", "", "", 0
	return r
}

func records() []billing.Record {
	bare := record(billing.PublicIPv4, "2026-10-10T10:00:00.25Z", 3601, 1)
	bare.Tags, bare.Service, bare.Region = nil, "", "eu-north-1"
	return []billing.Record{
		record(billing.VCPU, "2026-10-10T10:00:00.123456789Z", 61, 256),
		record(billing.ARMMemory, "2026-10-30T20:00:00Z", 3*24*3600, 512), // over midnights and a month
		record(billing.Storage, "2026-10-10T10:00:00Z", 100, 7),
		record(billing.SpotVCPU, "2026-10-10T23:59:59.5Z", 61, 4096),
		record(billing.WinLicence, "2026-10-10T10:00:00Z", 301, 1024),
		bare,
		thing(billing.NAT, "nat-1", 2*24*3600, 1),
		thing(billing.Endpoint, "vpce-1/subnet-1", 3600, 1),
		thing(billing.IdleIPv4, "eipalloc-1", 61, 1),
		thing(billing.ImageStorage, "repository/team/app", 3*24*3600, 123_456_789),
		thing(billing.LogIngestion, "log-group//ecs/app", 1, 1<<21),
	}
}

func seq(rs []billing.Record) iter.Seq2[billing.Record, error] {
	return func(yield func(billing.Record, error) bool) {
		for _, r := range rs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func request(format string) Request {
	return Request{
		From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Format: format,
		Prices: billing.AWS, Terms: new(billing.DefaultTerms()), Account: func(id string) string { return "name of " + id },
	}
}

func write(t *testing.T, r Request, rs []billing.Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b, seq(rs)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestConforms writes charges at AWS's prices, at a discount in another currency,
// and at a price for a second, and has them checked.
func TestConforms(t *testing.T) {
	second, err := billing.ReadList([]byte(`{"base": "aws", "region": "us-east-1", "sources": {"own": {"what": "own", "date": "2026-01-01"}}, "prices": [
		{"service": "AmazonECS", "usageType": "USE1-Fargate-vCPU-Hours:perCPU", "unit": "seconds", "price": "0.00001", "from": "2026-01-01", "source": "own"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, prices := range map[string]func(string) (*billing.List, error){
		"AWS's": billing.AWS,
		"yen": func(region string) (*billing.List, error) {
			l, err := billing.AWS(region)
			if err == nil {
				l.Terms.Currency, l.Terms.Rate = "JPY", billing.Int(150)
				l.Terms.Discounts = []billing.Discount{{Name: "plan", Percent: billing.Int(20)}}
			}
			return l, err
		},
		"by the second": func(region string) (*billing.List, error) {
			if region == "us-east-1" {
				return second, nil
			}
			return billing.AWS(region)
		},
	} {
		r := request("csv")
		r.Prices = prices
		text := write(t, r, records())
		if err := check(text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestSums wants the charges of all time to cost and consume what the records do.
func TestSums(t *testing.T) {
	r := request("csv")
	r.To = r.To.AddDate(0, 1, 0)
	rows, err := csv.NewReader(strings.NewReader(write(t, r, records()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got, want billing.Decimal
	for _, row := range rows[1:] {
		n, err := billing.ParseDecimal(row[slices.Index(rows[0], "BilledCost")])
		if err != nil {
			t.Fatal(err)
		}
		got = got.Add(n)
	}
	for _, n := range records() {
		l, err := billing.AWS(n.Region)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := l.ChargeUse(n.Use(), n.Start, n.Seconds)
		if err != nil {
			t.Fatal(err)
		}
		want = want.Add(billing.Total(lines))
	}
	if got.Text(15) != want.Text(15) || len(rows) != 1+5+4+1+10 {
		t.Errorf("%d charges of %s, want %s", len(rows)-1, got.Text(15), want.Text(15))
	}
	// October alone has the two days of the month of what went on in November.
	if rows, err = csv.NewReader(strings.NewReader(write(t, request("csv"), records()))).ReadAll(); err != nil || len(rows) != 1+5+2+1+7 {
		t.Errorf("%d charges in October (%v)", len(rows)-1, err)
	}
}

// TestChecker wants the checker to refuse what is wrong, cell by cell.
func TestChecker(t *testing.T) {
	good := write(t, request("csv"), records())
	rows, err := csv.NewReader(strings.NewReader(good)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	text := func(change func(rows [][]string)) string {
		var copied [][]string
		for _, row := range rows {
			copied = append(copied, slices.Clone(row))
		}
		change(copied)
		var b strings.Builder
		if err := csv.NewWriter(&b).WriteAll(copied); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if err := check(text(func([][]string) {})); err != nil {
		t.Fatal(err)
	}
	set := func(column, value string) string {
		return text(func(rows [][]string) { rows[1][slices.Index(rows[0], column)] = value })
	}
	for _, bad := range []string{
		"", text(func(rows [][]string) { rows[0][0] = "Cost" }), text(func(rows [][]string) { rows[0][0] = "Tags" }),
		set("BilledCost", ""), set("BilledCost", "+1"), set("BilledCost", "1,5"), set("BilledCost", "$1"), set("ListCost", "9"),
		set("ContractedUnitPrice", "-1"), set("BillingCurrency", "usd"), set("ChargeCategory", "usage"), set("ChargeClass", "None"),
		set("ChargePeriodStart", "2026-10-10 10:00:00"), set("ChargePeriodEnd", "2026-10-10T10:00:00Z"), set("BillingPeriodStart", "2026-10-02T00:00:00Z"),
		set("ConsumedUnit", "hours"), set("PricingUnit", ""), set("ConsumedQuantity", ""), set("PricingCategory", "Spot"),
		set("ServiceCategory", "Networking"), set("ServiceSubcategory", "Pods"), set("SkuPriceId", ""), set("SubAccountName", ""),
		set("Tags", "team=a"), set("Tags", `{"a":{}}`), set("SkuPriceDetails", `{"cpu":"arm"}`), set("RegionName", ""), set("ProviderName", " "),
	} {
		if err := check(bad); err == nil {
			t.Errorf("accepted:\n%.2000s", bad)
		}
	}
}

// TestLines wants the same of JSON lines as of CSV.
func TestLines(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(write(t, request("csv"), records()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(write(t, request("jsonl"), records())), "\n")
	if len(lines) != len(rows)-1 {
		t.Fatalf("%d lines, %d rows", len(lines), len(rows)-1)
	}
	for i, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		got := map[string]any{}
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		for j, name := range rows[0] {
			cell := ""
			switch v := got[name].(type) {
			case nil:
			case map[string]any:
				b, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				cell = string(b)
			default:
				cell = fmt.Sprint(v)
			}
			if cell != rows[i+1][j] {
				t.Errorf("line %d: %s is %s, in CSV %s", i, name, cell, rows[i+1][j])
			}
		}
	}
}

func TestRefused(t *testing.T) {
	r := request("xml")
	if err := r.Write(&bytes.Buffer{}, seq(records())); err == nil {
		t.Error("XML")
	}
	arm := record(billing.SpotARMVCPU, "2026-10-10T10:00:00Z", 60, 256)
	arm.Region = "ap-northeast-1"
	if err := request("csv").Write(&bytes.Buffer{}, seq([]billing.Record{arm})); err == nil || !strings.Contains(err.Error(), "no price is known") {
		t.Error("what has no price was exported:", err)
	}
	failing := func(yield func(billing.Record, error) bool) { yield(billing.Record{}, errors.New("broken")) }
	if err := request("csv").Write(&bytes.Buffer{}, failing); err == nil || err.Error() != "broken" {
		t.Error(err)
	}
}

package ce

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/ce"
	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

var now = time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)

// usage are records, as rows.
type usage []billing.Record

func (u usage) Rows(_ context.Context, s billing.Scan) iter.Seq2[billing.Row, error] {
	return func(yield func(billing.Row, error) bool) {
		for i := range u {
			if s.Account != u[i].Account {
				continue
			}
			for row := range u[i].Rows() {
				if !s.Tags {
					l := *row.Labels
					l.Tags, row.Labels = nil, &l
				}
				if !row.At.Before(s.From) && row.At.Before(s.To) && !yield(row, nil) {
					return
				}
			}
		}
	}
}

func record(service string, d billing.Dimension, start string, hours, units int64, tags ...string) billing.Record {
	at, err := time.Parse(time.DateTime, start)
	if err != nil {
		panic(err)
	}
	r := billing.Record{Start: at, Seconds: hours * 3600, Units: units, Labels: billing.Labels{
		Account: "123456789012", Region: "us-east-1", Cluster: "c", Service: service, Family: "f", Revision: 1, Dimension: d,
	}}
	for i := 0; i < len(tags); i += 2 {
		r.Tags = append(r.Tags, compute.Tag{Key: tags[i], Value: tags[i+1]})
	}
	return r
}

// some is 10 hours of a vCPU and 2 GB in September and 5 of them in October, of
// which 2 were today, and 4 hours of an address and of Spot.
var some = usage{
	record("web", billing.VCPU, "2026-09-30 20:00:00", 10, 1024, "team", "red", "aws:ecs:clusterName", "c"),
	record("web", billing.Memory, "2026-09-30 20:00:00", 10, 2048, "team", "red", "aws:ecs:clusterName", "c"),
	record("job", billing.VCPU, "2026-10-15 10:00:00", 2, 1024, "team", "blue"),
	record("job", billing.SpotVCPU, "2026-10-14 10:00:00", 4, 512),
	record("web", billing.PublicIPv4, "2026-10-13 22:00:00", 4, 1, "team", "Red"),
}

func newService(t *testing.T, u Usage) (*Service, context.Context) {
	t.Helper()
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	err := st.Update(t.Context(), func(tx store.Tx) error {
		return tables.Accounts.Put(tx, &identity.Account{ID: "123456789012", Name: "default"})
	})
	if err != nil {
		t.Fatal(err)
	}
	s := New(service.Deps{Store: st, Now: func() time.Time { return now }, IDs: arn.NewSource(rand.New(rand.NewSource(1)))}, u)
	return s, auth.WithCaller(t.Context(), auth.Caller{Account: "123456789012", Region: "us-east-1"})
}

// request reads an input from JSON with the names that AWS's members have, which
// are those of the fields.
func request[T any](t *testing.T, text string) *T {
	t.Helper()
	in := new(T)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		t.Fatal(err)
	}
	return in
}

// brief prints results as "start: keys metric=amount unit, …".
func brief(out *api.GetCostAndUsageOutput) string {
	var b strings.Builder
	print := func(m map[string]api.MetricValue) {
		for _, k := range []string{"UnblendedCost", "UsageQuantity", "BlendedCost", "NormalizedUsageAmount"} {
			if v, ok := m[k]; ok {
				amount := *v.Amount
				if strings.Contains(amount, ".") {
					amount = strings.TrimRight(strings.TrimRight(amount, "0"), ".")
				}
				fmt.Fprintf(&b, " %s %s", amount, *v.Unit)
			}
		}
	}
	for _, r := range out.ResultsByTime {
		fmt.Fprintf(&b, "%s", *r.TimePeriod.Start)
		if *r.Estimated {
			b.WriteString("~")
		}
		print(r.Total)
		for _, g := range r.Groups {
			fmt.Fprintf(&b, " [%s]", strings.Join(g.Keys, "|"))
			print(g.Metrics)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Parts of requests.
const (
	monthly = `"Granularity":"MONTHLY","TimePeriod":{"Start":"2026-09-01","End":"2026-11-01"}`
	daily   = `"Granularity":"DAILY","TimePeriod":{"Start":"2026-10-13","End":"2026-10-16"}`
	cost    = `,"Metrics":["UnblendedCost"]`
)

func TestGetCostAndUsage(t *testing.T) {
	s, ctx := newService(t, some)
	filtered := func(f string) string { return monthly + cost + `,"Filter":` + f }
	for _, c := range []struct{ in, want string }{
		// 4 × (0.04048 + 2 × 0.004445); 6 of the same, 2 × 0.04048, 4 × 0.5 × 0.01288871 and 4 × 0.005.
		{monthly + `,"Metrics":["UnblendedCost","UsageQuantity","NormalizedUsageAmount"]`, "2026-09-01 0.19748 USD 12 hours 0 N/A\n2026-10-01~ 0.42295742 USD 26 N/A 0 N/A\n"},
		{monthly + `,"Metrics":["UNBLENDED_COST"],"GroupBy":[{"Type":"DIMENSION","Key":"SERVICE_CODE"},{"Type":"TAG","Key":"team"}]`,
			"2026-09-01 [AmazonECS|team$red] 0.19748 USD\n" +
				"2026-10-01~ [AmazonECS|team$] 0.02577742 USD [AmazonECS|team$blue] 0.08096 USD [AmazonECS|team$red] 0.29622 USD [AmazonVPC|team$Red] 0.02 USD\n"},
		{daily + cost + `,"GroupBy":[{"Type":"DIMENSION","Key":"USAGE_TYPE"}]`,
			"2026-10-13~ [USE1-PublicIPv4:InUseAddress] 0.01 USD\n" +
				"2026-10-14~ [USE1-PublicIPv4:InUseAddress] 0.01 USD [USE1-SpotUsage-Fargate-vCPU-Hours:perCPU] 0.02577742 USD\n" +
				"2026-10-15~ [USE1-Fargate-vCPU-Hours:perCPU] 0.08096 USD\n"},
		{`"Granularity":"HOURLY","TimePeriod":{"Start":"2026-10-15T10:00:00Z","End":"2026-10-15T13:00:00Z"}` + cost,
			"2026-10-15T10:00:00Z~ 0.04048 USD\n2026-10-15T11:00:00Z~ 0.04048 USD\n2026-10-15T12:00:00Z~ 0 USD\n"},
		{`"Granularity":"MONTHLY","TimePeriod":{"Start":"2026-10-14","End":"2026-10-15"}` + cost, "2026-10-14~ 0.03577742 USD\n"},
		{filtered(`{"Dimensions":{"Key":"SERVICE","Values":["Amazon Elastic Container Service"]}}`), "2026-09-01 0.19748 USD\n2026-10-01~ 0.40295742 USD\n"},
		{filtered(`{"Not":{"Dimensions":{"Key":"PURCHASE_TYPE","Values":["Spot Instances"]}}}`), "2026-09-01 0.19748 USD\n2026-10-01~ 0.39718 USD\n"},
		{filtered(`{"Tags":{"Key":"team","Values":["red"]}}`), "2026-09-01 0.19748 USD\n2026-10-01~ 0.29622 USD\n"},
		{filtered(`{"Tags":{"Key":"team","Values":["RED"],"MatchOptions":["EQUALS","CASE_INSENSITIVE"]}}`), "2026-09-01 0.19748 USD\n2026-10-01~ 0.31622 USD\n"},
		{filtered(`{"Tags":{"Key":"team","MatchOptions":["ABSENT"]}}`), "2026-09-01 0 USD\n2026-10-01~ 0.02577742 USD\n"},
		{filtered(`{"Tags":{"Key":"team","Values":[""]}}`), "2026-09-01 0 USD\n2026-10-01~ 0.02577742 USD\n"},
		{filtered(`{"Or":[{"Tags":{"Key":"team","Values":["b"],"MatchOptions":["STARTS_WITH"]}},{"And":[{"Dimensions":{"Key":"USAGE_TYPE","Values":["IPv4"],"MatchOptions":["CONTAINS"]}},{"Dimensions":{"Key":"REGION","Values":["us-east-1","x"]}}]}]}`), "2026-09-01 0 USD\n2026-10-01~ 0.10096 USD\n"},
		{filtered(`{"CostCategories":{"Key":"k","Values":["v"]}}`), "2026-09-01 0 USD\n2026-10-01~ 0 USD\n"},
		{filtered(`{"Dimensions":{"Key":"LINKED_ACCOUNT","Values":["210987654321"]}}`) + `,"GroupBy":[{"Type":"DIMENSION","Key":"REGION"}]`, "2026-09-01\n2026-10-01~\n"},
	} {
		out, err := s.GetCostAndUsage(ctx, request[api.GetCostAndUsageInput](t, "{"+c.in+"}"))
		if err != nil {
			t.Fatal(c.in, err)
		}
		if got := brief(out); got != c.want {
			t.Errorf("%s\ngot\n%swant\n%s", c.in, got, c.want)
		}
	}
	out, err := s.GetCostAndUsage(ctx, request[api.GetCostAndUsageInput](t, "{"+monthly+cost+`,"GroupBy":[{"Type":"DIMENSION","Key":"LINKED_ACCOUNT"}]}`))
	if err != nil || len(out.DimensionValueAttributes) != 1 || out.DimensionValueAttributes[0].Attributes["description"] != "default" || *out.GroupDefinitions[0].Key != "LINKED_ACCOUNT" {
		t.Error(out, err)
	}
	other := auth.WithCaller(t.Context(), auth.Caller{Account: "210987654321", Region: "us-east-1"})
	out, err = s.GetCostAndUsage(other, request[api.GetCostAndUsageInput](t, "{"+monthly+cost+"}"))
	if err != nil || brief(out) != "2026-09-01 0 USD\n2026-10-01~ 0 USD\n" {
		t.Error("another account sees", brief(out), err)
	}
}

func TestRefused(t *testing.T) {
	s, ctx := newService(t, some)
	at := func(start, end, step string) string {
		return fmt.Sprintf(`"Granularity":%q,"TimePeriod":{"Start":%q,"End":%q}`, step, start, end)
	}
	for _, c := range []struct{ in, want string }{
		{at("2026-10-02", "2026-10-02", "DAILY") + cost, "Start date (and hour) should be before end date (and hour)"},
		{at("2026-10-02", "2026-11-02", "DAILY") + cost, "end date past the beginning of next month"},
		{at("2026-10-16", "2026-10-20", "DAILY") + cost, "in the future"},
		{at("2026-13-01", "2026-10-20", "DAILY") + cost, "Invalid date"},
		{at("2026-10-01", "2026-10-32", "DAILY") + cost, "Invalid date"},
		{at("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "DAILY") + cost, "Hourly timePeriod is not supported"},
		{at("2026-10-01T00:30:00Z", "2026-10-02T00:00:00Z", "HOURLY") + cost, "not on the hour"},
		{at("2026-09-20T00:00:00Z", "2026-10-02T00:00:00Z", "HOURLY") + cost, "more than 14 days ago"},
		{at("2025-07-02", "2026-10-02", "DAILY") + cost, "To retrieve data beyond the past 14 months, your start date needs to be the first day of the month."},
		{monthly + `,"Metrics":["Money"]`, "Invalid metric: Money"},
		{monthly + `,"Metrics":[]`, "Metrics"},
		{monthly + cost + `,"GroupBy":[{"Type":"DIMENSION","Key":"MOON"}]`, "MOON"},
		{monthly + cost + `,"GroupBy":[{"Type":"DIMENSION"}]`, "Group Definition"},
		{monthly + cost + `,"GroupBy":[{"Type":"TAG","Key":"a"},{"Type":"TAG","Key":"b"},{"Type":"TAG","Key":"c"}]`, "size should be between 1 and 2"},
		{monthly + cost + `,"GroupBy":[{"Type":"TAG","Key":"a"},{"Type":"TAG","Key":"a"}]`, "duplicates"},
		{monthly + cost + `,"Filter":{}`, "exactly one"},
		{monthly + cost + `,"Filter":{"Tags":{"Key":"a","Values":["b"]},"Dimensions":{"Key":"REGION","Values":["b"]}}`, "exactly one"},
		{monthly + cost + `,"Filter":{"And":[]}`, "no expressions"},
		{monthly + cost + `,"Filter":{"Not":{"Dimensions":{"Key":"SCOPE","Values":["b"]}}}`, "SCOPE is not supported"},
		{monthly + cost + `,"Filter":{"Dimensions":{"Key":"REGION"}}`, "values must not be empty"},
		{monthly + cost + `,"Filter":{"Dimensions":{"Key":"REGION","MatchOptions":["ABSENT"]}}`, "not supported for dimensions"},
		{monthly + cost + `,"Filter":{"Tags":{"Values":["x"]}}`, "tags need a key"},
		{monthly + cost + `,"Filter":` + strings.Repeat(`{"Not":`, 20) + `{"Tags":{"Key":"a","Values":["b"]}}` + strings.Repeat("}", 20), "too deep"},
	} {
		_, err := s.GetCostAndUsage(ctx, request[api.GetCostAndUsageInput](t, "{"+c.in+"}"))
		if err == nil || !strings.HasPrefix(err.Error(), "ValidationException: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.in, err, c.want)
		}
	}
}

// TestPages reads 2,500 groups of two days page by page.
func TestPages(t *testing.T) {
	var many usage
	for i := range 1250 {
		for _, day := range []string{"2026-10-13", "2026-10-14"} {
			many = append(many, record("web", billing.VCPU, day+" 10:00:00", 1, 1024, "team", fmt.Sprintf("t%04d", i)))
		}
	}
	s, ctx := newService(t, many)
	in := request[api.GetCostAndUsageInput](t, "{"+daily+cost+`,"GroupBy":[{"Type":"TAG","Key":"team"},{"Type":"DIMENSION","Key":"REGION"}]}`)
	var got []string
	pages := 0
	for {
		out, err := s.GetCostAndUsage(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range out.ResultsByTime {
			n += len(r.Groups)
			for _, g := range r.Groups {
				got = append(got, *r.TimePeriod.Start+g.Keys[0])
			}
		}
		pages++
		if out.NextPageToken == nil {
			break
		}
		if n != pageGroups {
			t.Errorf("page %d has %d groups", pages, n)
		}
		in.NextPageToken = out.NextPageToken
	}
	if pages != 3 || len(got) != 2500 || !slices.IsSorted(got) || len(slices.Compact(got)) != 2500 {
		t.Errorf("%d groups on %d pages", len(got), pages)
	}
	in.Metrics = []string{"BlendedCost"}
	if _, err := s.GetCostAndUsage(ctx, in); err == nil || !strings.HasPrefix(err.Error(), "RequestChangedException") {
		t.Error(err)
	}
	in.NextPageToken = new("forged")
	if _, err := s.GetCostAndUsage(ctx, in); err == nil || !strings.HasPrefix(err.Error(), "InvalidNextTokenException") {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	s, ctx := newService(t, some)
	const october = `{"TimePeriod":{"Start":"2026-10-01","End":"2026-11-01"}`
	for _, c := range []struct{ in, want string }{
		{`,"Dimension":"SERVICE"}`, "Amazon Elastic Container Service,Amazon Virtual Private Cloud"},
		{`,"Dimension":"SERVICE","SearchString":"private"}`, "Amazon Virtual Private Cloud"},
		{`,"Dimension":"SERVICE","SortBy":[{"Key":"UnblendedCost","SortOrder":"ASCENDING"}]}`, "Amazon Virtual Private Cloud,Amazon Elastic Container Service"},
		{`,"Dimension":"SERVICE","SortBy":[{"Key":"UsageQuantity"}]}`, "Amazon Elastic Container Service,Amazon Virtual Private Cloud"},
		{`,"Dimension":"PURCHASE_TYPE","Filter":{"Dimensions":{"Key":"SERVICE_CODE","Values":["AmazonVPC"]}}}`, "On Demand Instances"},
		{`,"Dimension":"LINKED_ACCOUNT"}`, "123456789012"},
		{`,"Dimension":"REGION","Context":"RESERVATIONS"}`, ""},
	} {
		out, err := s.GetDimensionValues(ctx, request[api.GetDimensionValuesInput](t, october+c.in))
		if err != nil {
			t.Fatal(c.in, err)
		}
		var got []string
		for _, v := range out.DimensionValues {
			got = append(got, *v.Value)
		}
		if strings.Join(got, ",") != c.want || int(*out.ReturnSize) != len(got) || int(*out.TotalSize) != len(got) {
			t.Errorf("%s: %v, want %s", c.in, got, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{`}`, "aws:ecs:clusterName,team"},
		{`,"SearchString":"ECS:"}`, "aws:ecs:clusterName"},
		{`,"TagKey":"team"}`, ",Red,blue,red"},
		{`,"Filter":{"Tags":{"Key":"team","Values":["blue"]}}}`, "team"},
	} {
		out, err := s.GetTags(ctx, request[api.GetTagsInput](t, october+c.in))
		if err != nil || strings.Join(out.Tags, ",") != c.want {
			t.Errorf("%s: %v %v, want %s", c.in, out, err, c.want)
		}
	}
	in := request[api.GetTagsInput](t, october+`,"TagKey":"team","MaxResults":3}`)
	out, err := s.GetTags(ctx, in)
	if err != nil || len(out.Tags) != 3 || *out.TotalSize != 4 || out.NextPageToken == nil {
		t.Fatal(out, err)
	}
	in.NextPageToken = out.NextPageToken
	if out, err = s.GetTags(ctx, in); err != nil || strings.Join(out.Tags, ",") != "red" || out.NextPageToken != nil {
		t.Error(out, err)
	}
	in.TagKey = new("other")
	if _, err = s.GetTags(ctx, in); err == nil || !strings.HasPrefix(err.Error(), "RequestChangedException") {
		t.Error(err)
	}
	for _, c := range []string{
		`,"Dimension":"SCOPE"}`, `,"Dimension":"SERVICE","SortBy":[{"Key":"Moon"}]}`,
		`,"Dimension":"SERVICE","SortBy":[{"Key":"UnblendedCost"}],"SearchString":"x"}`,
		`,"Dimension":"SERVICE","SortBy":[{"Key":"UnblendedCost"},{"Key":"UsageQuantity"}]}`,
	} {
		if _, err := s.GetDimensionValues(ctx, request[api.GetDimensionValuesInput](t, october+c)); err == nil || !strings.HasPrefix(err.Error(), "ValidationException") {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestForecast(t *testing.T) {
	// 9 days of 1 and 2 vCPU hours in turn: a mean of 13/9 hours a day.
	var days usage
	for i := range 9 {
		days = append(days, record("web", billing.VCPU, fmt.Sprintf("2026-10-%02d 01:00:00", 6+i), 1+int64(i%2), 1024))
	}
	s, ctx := newService(t, days)
	in := request[api.GetCostForecastInput](t, `{"Metric":"UNBLENDED_COST","Granularity":"MONTHLY","TimePeriod":{"Start":"2026-10-15","End":"2026-11-10"},"PredictionIntervalLevel":95}`)
	out, err := s.GetCostForecast(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	// 26 × 13/9 × 0.04048; the spread of one day is 0.5270463 h × 0.04048 × 1.959964.
	const total = "1.5202488889"
	if *out.Total.Amount != total || *out.Total.Unit != "USD" || len(out.ForecastResultsByTime) != 2 {
		t.Errorf("%s %s in %d periods, want %s", *out.Total.Amount, *out.Total.Unit, len(out.ForecastResultsByTime), total)
	}
	r := out.ForecastResultsByTime[1]
	if *r.TimePeriod.Start != "2026-11-01" || *r.MeanValue != "0.5262400000" || (*r.PredictionIntervalLowerBound)[:6] != "0.4007" || (*r.PredictionIntervalUpperBound)[:6] != "0.6516" {
		t.Errorf("%s: %s %s %s", *r.TimePeriod.Start, *r.MeanValue, *r.PredictionIntervalLowerBound, *r.PredictionIntervalUpperBound)
	}
	in.Metric = new("USAGE_QUANTITY")
	if out, err = s.GetCostForecast(ctx, in); err != nil || *out.Total.Unit != "hours" {
		t.Error(out, err)
	}
	empty, ctx := newService(t, usage{})
	if _, err = empty.GetCostForecast(ctx, in); err == nil || !strings.HasPrefix(err.Error(), "DataUnavailableException") {
		t.Error(err)
	}
	for _, change := range []func(*api.GetCostForecastInput){
		func(in *api.GetCostForecastInput) { in.TimePeriod.Start = new("2026-10-14") },
		func(in *api.GetCostForecastInput) { in.TimePeriod.End = new("2027-10-30") },
		func(in *api.GetCostForecastInput) { in.Granularity = new("HOURLY") },
		func(in *api.GetCostForecastInput) { in.Metric = new("NORMALIZED_USAGE_AMOUNT") },
	} {
		bad := *in
		bad.TimePeriod = &api.DateInterval{Start: in.TimePeriod.Start, End: in.TimePeriod.End}
		change(&bad)
		if _, err := s.GetCostForecast(ctx, &bad); err == nil || !strings.HasPrefix(err.Error(), "ValidationException") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

package budgets

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/budgets"
	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/service"
	"neargate/store/mem"
)

var now = time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)

const account = "123456789012"

// usage are records, as rows.
type usage []billing.Record

func (u usage) Rows(_ context.Context, s billing.Scan) iter.Seq2[billing.Row, error] {
	return func(yield func(billing.Row, error) bool) {
		for i := range u {
			for row := range u[i].Rows() {
				if s.Account == u[i].Account && !row.At.Before(s.From) && row.At.Before(s.To) && !yield(row, nil) {
					return
				}
			}
		}
	}
}

// vcpus are 10 vCPU hours on each of the 14 days before today, and one today.
func vcpus() (u usage) {
	for i := range 15 {
		r := billing.Record{Start: now.Truncate(24*time.Hour).AddDate(0, 0, -i), Seconds: 36000, Units: 1024, Labels: billing.Labels{
			Account: account, Region: "us-east-1", Dimension: billing.VCPU, Tags: []compute.Tag{{Key: "team", Value: "red"}},
		}}
		if i == 0 {
			r.Seconds = 3600
		}
		u = append(u, r)
	}
	return u
}

func newService(t *testing.T, u Usage) (*Service, context.Context) {
	t.Helper()
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	s := New(service.Deps{Store: st, Now: func() time.Time { return now }, IDs: arn.NewSource(rand.New(rand.NewSource(1)))}, u)
	return s, auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: "us-east-1"})
}

// read reads a budget from JSON with the names that AWS's members have.
func read(t *testing.T, text string) *api.Budget {
	t.Helper()
	in := new(api.Budget)
	d := json.NewDecoder(strings.NewReader("{" + text + "}"))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		t.Fatal(text, err)
	}
	return in
}

const (
	cost    = `"BudgetName":"b","BudgetType":"COST"`
	monthly = cost + `,"TimeUnit":"MONTHLY"`
	limit   = `,"BudgetLimit":{"Amount":"100","Unit":"USD"}`
)

func TestSpend(t *testing.T) {
	// 141 vCPU hours in October, 14 days of 10, and 16.5 days to come.
	s, ctx := newService(t, vcpus())
	for _, c := range []struct{ in, limit, actual, forecast string }{
		{monthly + limit, "100.0", "5.70768", "12.38688"},
		{cost + limit + `,"TimeUnit":"DAILY"`, "100.0", "0.04048", "0.24288"},
		{cost + limit + `,"TimeUnit":"QUARTERLY"`, "100.0", "5.70768", "37.07968"},
		{cost + limit + `,"TimeUnit":"ANNUALLY"`, "100.0", "5.70768", "37.07968"},
		{cost + limit + `,"TimeUnit":"CUSTOM","TimePeriod":{"Start":"2026-10-10T00:00:00Z","End":"2026-10-12T00:00:00Z"}`, "100.0", "0.8096", ""},
		{monthly + limit + `,"TimePeriod":{"Start":"2026-10-14T00:00:00Z","End":"2026-10-16T12:00:00Z"}`, "100.0", "0.44528", "0.85008"},
		{monthly + limit + `,"TimePeriod":{"Start":"2027-01-01T00:00:00Z"}`, "100.0", "0.0", ""},
		{monthly + limit + `,"CostFilters":{"TagKeyValue":["user:team$red"],"Service":["Amazon Elastic Container Service"]}`, "100.0", "5.70768", "12.38688"},
		{monthly + limit + `,"CostFilters":{"TagKeyValue":["user:team$blue"]}`, "100.0", "0.0", ""},
		{monthly + limit + `,"FilterExpression":{"Not":{"Dimensions":{"Key":"REGION","Values":["us-east-1"]}}}`, "100.0", "0.0", ""},
		{`"BudgetName":"b","BudgetType":"USAGE","TimeUnit":"MONTHLY","BudgetLimit":{"Amount":".5","Unit":"hours"},"CostFilters":{"UsageType":["USE1-Fargate-vCPU-Hours:perCPU"]}`, "0.5", "141.0", "306.0"},
	} {
		if _, err := s.CreateBudget(ctx, &api.CreateBudgetInput{AccountId: new(account), Budget: read(t, c.in)}); err != nil {
			t.Fatal(c.in, err)
		}
		out, err := s.DescribeBudget(ctx, &api.DescribeBudgetInput{AccountId: new(account), BudgetName: new("b")})
		if err != nil {
			t.Fatal(c.in, err)
		}
		forecast := ""
		if f := out.Budget.CalculatedSpend.ForecastedSpend; f != nil {
			forecast = *f.Amount
		}
		if b := out.Budget; *b.BudgetLimit.Amount != c.limit || *b.CalculatedSpend.ActualSpend.Amount != c.actual || forecast != c.forecast {
			t.Errorf("%s: limit %s, actual %s, forecast %s; want %s, %s, %s", c.in, *b.BudgetLimit.Amount, *b.CalculatedSpend.ActualSpend.Amount, forecast, c.limit, c.actual, c.forecast)
		}
		if _, err := s.DeleteBudget(ctx, &api.DeleteBudgetInput{AccountId: new(account), BudgetName: new("b")}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefused(t *testing.T) {
	s, ctx := newService(t, vcpus())
	for _, c := range []struct{ in, want string }{
		{`"BudgetName":"a/action/b","BudgetType":"COST","TimeUnit":"MONTHLY"` + limit, "name"},
		{`"BudgetName":"b","BudgetType":"RI_COVERAGE","TimeUnit":"MONTHLY"` + limit, "not supported"},
		{monthly, "Either BudgetLimit"},
		{monthly + `,"BudgetLimit":{"Amount":"0","Unit":"USD"}`, "more than 0"},
		{monthly + `,"BudgetLimit":{"Amount":"1","Unit":"EUR"}`, "Unit"},
		{monthly + `,"BudgetLimit":{"Amount":"` + strings.Repeat("9", 99) + `","Unit":"USD"}`, "Amount"},
		{monthly + limit + `,"PlannedBudgetLimits":{"0":{"Amount":"1","Unit":"USD"}}`, "Either BudgetLimit"},
		{monthly + `,"PlannedBudgetLimits":{"1":{"Amount":"1","Unit":"USD"}}`, "when a period begins"},
		{cost + `,"TimeUnit":"DAILY","PlannedBudgetLimits":{"0":{"Amount":"1","Unit":"USD"}}`, "MONTHLY or QUARTERLY"},
		{monthly + limit + `,"TimePeriod":{"Start":"2026-10-10T00:00:00Z","End":"2026-10-10T00:00:00Z"}`, "before its end"},
		{monthly + limit + `,"TimePeriod":{"Start":"2026-10-10T00:00:01Z"}`, "on the hour"},
		{cost + limit + `,"TimeUnit":"CUSTOM"`, "CUSTOM needs"},
		{monthly + limit + `,"CostFilters":{"Moon":["x"]}`, "Moon"},
		{monthly + limit + `,"CostFilters":{"Service":["x"]},"FilterExpression":{"Tags":{"Key":"a","Values":["b"]}}`, "not both"},
		{monthly + limit + `,"FilterExpression":{}`, "exactly one"},
		{monthly + limit + `,"Metrics":["UsageQuantity"]`, "Metric"},
		{monthly + limit + `,"AutoAdjustData":{"AutoAdjustType":"FORECAST"}`, "AutoAdjustData"},
		{monthly + limit + `,"CalculatedSpend":{}`, "CalculatedSpend"},
		{`"BudgetName":"b","BudgetType":"USAGE","TimeUnit":"MONTHLY","BudgetLimit":{"Amount":"1","Unit":"hours"}`, "needs a filter"},
	} {
		_, err := s.CreateBudget(ctx, &api.CreateBudgetInput{AccountId: new(account), Budget: read(t, c.in)})
		if err == nil || !strings.HasPrefix(err.Error(), "InvalidParameterException: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.in, err, c.want)
		}
	}
	_, err := s.CreateBudget(ctx, &api.CreateBudgetInput{AccountId: new(account), Budget: read(t, monthly+limit), NotificationsWithSubscribers: []api.NotificationWithSubscribers{{}}})
	if err == nil || !strings.Contains(err.Error(), "notifications") {
		t.Error(err)
	}
	all, err := s.DescribeBudgets(ctx, &api.DescribeBudgetsInput{AccountId: new(account)})
	if err != nil || len(all.Budgets) != 0 {
		t.Error("what was refused is there:", all, err)
	}
}

func wantCode(t *testing.T, code string, err error) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), code+"Exception: ") {
		t.Errorf("%v, want %sException", err, code)
	}
}

func TestLifeCycle(t *testing.T) {
	s, ctx := newService(t, vcpus())
	create := func(name string) error {
		b := read(t, monthly+limit)
		b.BudgetName = &name
		_, err := s.CreateBudget(ctx, &api.CreateBudgetInput{AccountId: new(account), Budget: b, ResourceTags: []api.ResourceTag{{Key: new("k"), Value: new("v")}}})
		return err
	}
	for i := range 5 {
		if err := create(fmt.Sprint("b", i)); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "DuplicateRecord", create("b1"))
	var names []string
	in := &api.DescribeBudgetsInput{AccountId: new(account), MaxResults: new(int32(2))}
	for {
		out, err := s.DescribeBudgets(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range out.Budgets {
			names = append(names, *b.BudgetName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if strings.Join(names, " ") != "b0 b1 b2 b3 b4" {
		t.Error(names)
	}
	b := read(t, `"BudgetName":"b1","BudgetType":"COST","TimeUnit":"QUARTERLY","PlannedBudgetLimits":{"1790812800":{"Amount":"7.50","Unit":"USD"}},"CostTypes":{"IncludeTax":false}`)
	if _, err := s.UpdateBudget(ctx, &api.UpdateBudgetInput{AccountId: new(account), NewBudget: b}); err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeBudget(ctx, &api.DescribeBudgetInput{AccountId: new(account), BudgetName: new("b1")})
	if err != nil || *out.Budget.TimeUnit != "QUARTERLY" || *out.Budget.PlannedBudgetLimits["1790812800"].Amount != "7.5" || out.Budget.BudgetLimit != nil ||
		*out.Budget.CostTypes.IncludeTax || !*out.Budget.CostTypes.IncludeCredit || *out.Budget.CostTypes.UseBlended {
		t.Errorf("%+v %v", out.Budget, err)
	}
	b.BudgetType, b.PlannedBudgetLimits, b.CostFilters = new("USAGE"), nil, map[string][]string{"UsageType": {"x"}}
	b.BudgetLimit = &api.Spend{Amount: new("1"), Unit: new("hours")}
	_, err = s.UpdateBudget(ctx, &api.UpdateBudgetInput{AccountId: new(account), NewBudget: b})
	wantCode(t, "InvalidParameter", err)
	none, err := s.DescribeNotificationsForBudget(ctx, &api.DescribeNotificationsForBudgetInput{AccountId: new(account), BudgetName: new("b1")})
	if err != nil || len(none.Notifications) != 0 {
		t.Error(none, err)
	}

	const arn = "arn:aws:budgets::" + account + ":budget/b1"
	if _, err := s.TagResource(ctx, &api.TagResourceInput{ResourceARN: new(arn), ResourceTags: []api.ResourceTag{{Key: new("k"), Value: new("w")}, {Key: new("l"), Value: new("")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UntagResource(ctx, &api.UntagResourceInput{ResourceARN: new(arn), ResourceTagKeys: []string{"l", "m"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := s.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceARN: new(arn)})
	if err != nil || len(tags.ResourceTags) != 1 || *tags.ResourceTags[0].Value != "w" {
		t.Error(tags, err)
	}
	_, err = s.TagResource(ctx, &api.TagResourceInput{ResourceARN: new(arn), ResourceTags: []api.ResourceTag{{Key: new("aws:k"), Value: new("w")}}})
	wantCode(t, "InvalidParameter", err)
	_, err = s.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceARN: new("arn:aws:budgets::210987654321:budget/b1")})
	wantCode(t, "NotFound", err)

	if _, err := s.DeleteBudget(ctx, &api.DeleteBudgetInput{AccountId: new(account), BudgetName: new("b1")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.DescribeBudget(ctx, &api.DescribeBudgetInput{AccountId: new(account), BudgetName: new("b1")})
	wantCode(t, "NotFound", err)
	_, err = s.DeleteBudget(ctx, &api.DeleteBudgetInput{AccountId: new(account), BudgetName: new("b1")})
	wantCode(t, "NotFound", err)
	_, err = s.UpdateBudget(ctx, &api.UpdateBudgetInput{AccountId: new(account), NewBudget: read(t, monthly+limit)})
	wantCode(t, "NotFound", err)
	_, err = s.DescribeBudgets(ctx, &api.DescribeBudgetsInput{AccountId: new("210987654321")})
	wantCode(t, "AccessDenied", err)
	_, err = s.DescribeBudgets(ctx, &api.DescribeBudgetsInput{AccountId: new(account), NextToken: new("forged")})
	wantCode(t, "InvalidNextToken", err)
}

package budgets

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	api "neargate/aws/budgets"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
	"neargate/resource/budget"
)

// read checks a budget of a request.
func (s *Service) read(account string, in *api.Budget) (b budget.Budget, err error) {
	b = budget.Budget{
		Account: account, Name: *in.BudgetName, Type: *in.BudgetType, Unit: budget.Unit(*in.TimeUnit),
		Filters: in.CostFilters, Filter: expression(in.FilterExpression), Metrics: in.Metrics, UpdatedAt: s.deps.Now().UTC(),
	}
	switch {
	case strings.Contains(b.Name, "/action/") || strings.Contains(strings.ToLower(b.Name), "<script>"):
		return b, invalid("Budget name is invalid: %s", b.Name)
	case b.Type != "COST" && b.Type != "USAGE":
		return b, invalid("Budget type %s is not supported: nothing is reserved here, and there are no savings plans.", b.Type)
	case in.AutoAdjustData != nil:
		return b, invalid("AutoAdjustData is not supported.")
	case in.CalculatedSpend != nil:
		return b, invalid("CalculatedSpend can't be set.")
	case in.BillingViewArn != nil:
		return b, invalid("BillingViewArn is not supported.")
	case len(b.Filters) > 0 && b.Filter != nil:
		return b, invalid("Either CostFilters or FilterExpression can be used, not both.")
	}
	if b.Types, err = readTypes(&b, in.CostTypes); err != nil {
		return b, err
	}
	if _, _, err := filterOf(&b); err != nil {
		return b, invalid("%s", err)
	}
	if err := s.readTime(&b, in.TimePeriod); err != nil {
		return b, err
	}
	return b, readLimits(&b, in)
}

// readTypes reads what counts as cost. All of it is usage here: of the kinds that
// can be left out there is none, and there is no other way to count what there is.
func readTypes(b *budget.Budget, in *api.CostTypes) (types []string, err error) {
	for _, m := range b.Metrics {
		usage := m == "UsageQuantity" || m == "Hours"
		if usage != (b.Type == "USAGE") || m == "NormalizedUsageAmount" {
			return nil, invalid("Metric %s is not supported for budgets of type %s.", m, b.Type)
		}
	}
	if in == nil {
		in = &api.CostTypes{}
	}
	for name, t := range costTypes(in) {
		if *t.to == nil && t.otherwise || *t.to != nil && **t.to {
			types = append(types, name)
		}
	}
	slices.Sort(types)
	return types, nil
}

type costType struct {
	to        **bool
	otherwise bool // what it is unless said
}

// costTypes are the members of CostTypes by name.
func costTypes(in *api.CostTypes) map[string]costType {
	return map[string]costType{
		"IncludeCredit": {&in.IncludeCredit, true}, "IncludeDiscount": {&in.IncludeDiscount, true},
		"IncludeOtherSubscription": {&in.IncludeOtherSubscription, true}, "IncludeRecurring": {&in.IncludeRecurring, true},
		"IncludeRefund": {&in.IncludeRefund, true}, "IncludeSubscription": {&in.IncludeSubscription, true},
		"IncludeSupport": {&in.IncludeSupport, true}, "IncludeTax": {&in.IncludeTax, true}, "IncludeUpfront": {&in.IncludeUpfront, true},
		"UseAmortized": {&in.UseAmortized, false}, "UseBlended": {&in.UseBlended, false},
	}
}

func (s *Service) readTime(b *budget.Budget, in *api.TimePeriod) error {
	b.Start, b.End = b.Unit.Begin(s.deps.Now()), budget.Forever()
	if in != nil && in.Start != nil {
		b.Start = in.Start.UTC()
	}
	if in != nil && in.End != nil {
		b.End = in.End.UTC()
	}
	switch {
	case b.Unit == budget.Custom && (in == nil || in.Start == nil || in.End == nil):
		return invalid("A budget with time unit CUSTOM needs a start and an end.")
	case !b.Start.Before(b.End):
		return invalid("Start time of a budget must be before its end time.")
	case b.End.After(budget.Forever()):
		return invalid("End time of a budget must be before %s.", budget.Forever().Format(time.DateOnly))
	case !b.Start.Truncate(time.Hour).Equal(b.Start) || !b.End.Truncate(time.Hour).Equal(b.End):
		return invalid("Start and end time of a budget must be on the hour.")
	}
	return nil
}

func readLimits(b *budget.Budget, in *api.Budget) error {
	if (in.BudgetLimit == nil) == (len(in.PlannedBudgetLimits) == 0) {
		return invalid("Either BudgetLimit or PlannedBudgetLimits is needed.")
	}
	if in.BudgetLimit != nil {
		limit, err := readSpend(b, *in.BudgetLimit)
		b.Limit = &limit
		return err
	}
	if b.Unit != budget.Monthly && b.Unit != budget.Quarterly {
		return invalid("PlannedBudgetLimits are for budgets with time unit MONTHLY or QUARTERLY.")
	}
	if most := map[budget.Unit]int{budget.Monthly: 12, budget.Quarterly: 4}[b.Unit]; len(in.PlannedBudgetLimits) > most {
		return invalid("PlannedBudgetLimits has more than %d entries.", most)
	}
	b.Planned = map[string]budget.Spend{}
	for _, key := range slices.Sorted(maps.Keys(in.PlannedBudgetLimits)) {
		n, err := strconv.ParseInt(key, 10, 64)
		at := time.Unix(n, 0).UTC()
		if err != nil || !b.Unit.Begin(at).Equal(at) {
			return invalid("PlannedBudgetLimits: %s is not when a period begins, in seconds.", key)
		}
		if b.Planned[key], err = readSpend(b, in.PlannedBudgetLimits[key]); err != nil {
			return err
		}
	}
	return nil
}

func readSpend(b *budget.Budget, in api.Spend) (budget.Spend, error) {
	text := *in.Amount
	if strings.HasPrefix(text, ".") {
		text = "0" + text
	}
	n, err := billing.ParseDecimal(text)
	switch {
	case err != nil:
		return budget.Spend{}, invalid("Amount of a limit is invalid: %s", *in.Amount)
	case n.Sign() == 0:
		return budget.Spend{}, invalid("Amount of a limit must be more than 0.")
	case b.Type == "COST" && *in.Unit != "USD":
		return budget.Spend{}, invalid("Unit of a limit is invalid: %s. Costs are in USD.", *in.Unit)
	case b.Type == "USAGE" && len(b.Filters) == 0 && b.Filter == nil:
		return budget.Spend{}, invalid("A budget of type USAGE needs a filter for a usage type.")
	}
	return budget.Spend{Amount: plain(n), Unit: *in.Unit}, nil
}

// plain prints a number as AWS does: with a digit after the point at least.
func plain(n billing.Decimal) string {
	text := n.String()
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// keys are the dimensions that CostFilters can name.
var keys = map[string]string{
	"Service": "SERVICE", "LinkedAccount": "LINKED_ACCOUNT", "Region": "REGION", "UsageType": "USAGE_TYPE",
	"Operation": "OPERATION", "PurchaseType": "PURCHASE_TYPE", "AZ": "AZ", "InstanceType": "INSTANCE_TYPE",
	"RecordType": "RECORD_TYPE", "BillingEntity": "BILLING_ENTITY", "LegalEntity": "LEGAL_ENTITY_NAME",
}

// filterOf is the test of which usage a budget is for; tags reports whether it
// needs the tags of tasks.
func filterOf(b *budget.Budget) (keep func(*billing.Labels) bool, tags bool, err error) {
	if b.Filter != nil || len(b.Filters) == 0 {
		return b.Filter.Filter()
	}
	all := &costs.Expression{And: []costs.Expression{}}
	for _, key := range slices.Sorted(maps.Keys(b.Filters)) {
		values := b.Filters[key]
		if key != "TagKeyValue" {
			name := key
			if k, ok := keys[key]; ok {
				name = k
			}
			all.And = append(all.And, costs.Expression{Dimension: &costs.Values{Key: name, Values: values}})
			continue
		}
		any := costs.Expression{Or: []costs.Expression{}}
		for _, v := range values {
			k, value, _ := strings.Cut(strings.TrimPrefix(v, "user:"), "$")
			any.Or = append(any.Or, costs.Expression{Tag: &costs.Values{Key: k, Values: []string{value}}})
		}
		all.And = append(all.And, any)
	}
	return all.Filter()
}

// expression is an expression of the API as costs knows it.
func expression(e *api.Expression) *costs.Expression {
	if e == nil {
		return nil
	}
	out := &costs.Expression{And: expressions(e.And), Or: expressions(e.Or), Not: expression(e.Not)}
	if d := e.Dimensions; d != nil {
		out.Dimension = &costs.Values{Key: *d.Key, Values: d.Values, Options: d.MatchOptions}
	}
	if t := e.Tags; t != nil {
		out.Tag = &costs.Values{Key: text(t.Key), Values: t.Values, Options: t.MatchOptions}
	}
	if c := e.CostCategories; c != nil {
		out.Category = &costs.Values{Key: text(c.Key), Values: c.Values, Options: c.MatchOptions}
	}
	return out
}

func expressions(es []api.Expression) []costs.Expression {
	if es == nil {
		return nil
	}
	out := []costs.Expression{}
	for i := range es {
		out = append(out, *expression(&es[i]))
	}
	return out
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

package target

import (
	"strings"

	"neargate/arn"
	"neargate/resource/identity"
	tables "neargate/store/tables/budgets"
)

// budgetsRules are those of AWS Budgets, whose operations need one of two
// permissions, to view and to modify.
var budgetsRules = rules{
	action: map[string]string{
		"CreateBudget": "ModifyBudget", "UpdateBudget": "ModifyBudget", "DeleteBudget": "ModifyBudget",
		"DescribeBudget": "ViewBudget", "DescribeBudgets": "ViewBudget", "DescribeNotificationsForBudget": "ViewBudget",
	},
	resources: merge(
		each(func(in Input) []string { return []string{in.budget(in.text("BudgetName"))} },
			"DeleteBudget", "DescribeBudget", "DescribeNotificationsForBudget"),
		each(func(in Input) []string {
			return []string{in.budget(asText(in.field(in.field(in.Value, "Budget"), "BudgetName")))}
		}, "CreateBudget"),
		each(func(in Input) []string {
			return []string{in.budget(asText(in.field(in.field(in.Value, "NewBudget"), "BudgetName")))}
		}, "UpdateBudget"),
		each(func(in Input) []string { return []string{in.budget("*")} }, "DescribeBudgets"),
		each(func(in Input) []string { return in.given("ResourceARN") },
			"TagResource", "UntagResource", "ListTagsForResource"),
	),
	tags: Input.budgetTags,
}

// budget is the ARN of a budget of the caller's account.
func (in Input) budget(name string) string {
	return arn.ARN{Partition: "aws", Service: "budgets", Account: in.Caller.Account, Resource: "budget/" + name}.String()
}

// budgetTags are the tags of the budget that a resource is.
func (in Input) budgetTags(resource string) ([]identity.Tag, error) {
	_, name, _ := strings.Cut(resource, ":budget/")
	b, _, err := tables.Budgets.Find(in.Tx, in.Caller.Account, name)
	return tagged(b.Tags), err
}

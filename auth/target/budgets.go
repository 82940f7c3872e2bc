package target

import (
	"neargate/arn"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
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
	tags: func(in Input, resource string) ([]identity.Tag, error) {
		return tagged.Budget(in.Tx, in.Caller.Account, resource)
	},
}

// budget is the ARN of a budget of the caller's account.
func (in Input) budget(name string) string {
	return arn.ARN{Partition: "aws", Service: "budgets", Account: in.Caller.Account, Resource: "budget/" + name}.String()
}

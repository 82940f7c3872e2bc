// Package budgets names the key space of budgets.
package budgets

import (
	"neargate/resource/budget"
	"neargate/store"
)

// Budgets keeps budgets by account, name.
var Budgets = store.Table[budget.Budget]{
	Name: "budgets/budget",
	Key:  func(b *budget.Budget) []string { return []string{b.Account, b.Name} },
}

// Package usages names the key space of usage records on their way to the ledger.
package usages

import (
	"neargate/resource/billing"
	"neargate/store"
)

// Pending keeps usage records that are not yet in the ledger, by account, region,
// cluster, task, dimension. control/meter puts them here, and billing/ledger
// takes them once they are in its files.
var Pending = store.Table[billing.Record]{
	Name: "billing/usage",
	Key:  func(r *billing.Record) []string { return r.Key() },
}

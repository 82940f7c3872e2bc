// Package exports names the key space of exports of log events.
package exports

import (
	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/tables"
)

// Active indexes exports that are still to be done, by the stamp of their creation.
const Active = "logs/export@active"

// Exports keeps exports by account, region, id.
var Exports = store.Table[logs.Export]{
	Name: "logs/export",
	Key:  func(e *logs.Export) []string { return []string{e.Account, e.Region, e.ID} },
	Indexes: []store.Index[logs.Export]{
		{Name: Active, Keys: func(e *logs.Export) [][]string {
			if !e.Active() {
				return nil
			}
			return [][]string{{tables.Stamp(e.CreatedAt)}}
		}},
	},
}

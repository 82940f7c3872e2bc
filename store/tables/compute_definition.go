package tables

import (
	"neargate/internal/encode"
	"neargate/resource/compute/taskdef"
	"neargate/store"
)

// TaskDefinitionsByStatus: account, region, status. The primary key follows, so
// that account, region, status, account, region, family lists one family.
const TaskDefinitionsByStatus = "ecs/taskdef@status"

// TaskDefinitions keeps task definitions by account, region, family, revision
// (as [Number]).
var TaskDefinitions = store.Table[taskdef.Definition]{
	Name: "ecs/taskdef",
	JSON: encode.For[taskdef.Definition](),
	Key: func(d *taskdef.Definition) []string {
		return []string{d.Account, d.Region, d.Family, Number(d.Revision)}
	},
	Indexes: []store.Index[taskdef.Definition]{
		{Name: TaskDefinitionsByStatus, Keys: func(d *taskdef.Definition) [][]string {
			return [][]string{{d.Account, d.Region, d.Status}}
		}},
	},
}

// FamiliesByStatus: account, region, status (ACTIVE or INACTIVE).
const FamiliesByStatus = "ecs/family@status"

// Families keeps task definition families by account, region, name.
var Families = store.Table[taskdef.Family]{
	Name: "ecs/family",
	JSON: encode.For[taskdef.Family](),
	Flat: true,
	Key:  func(f *taskdef.Family) []string { return []string{f.Account, f.Region, f.Name} },
	Indexes: []store.Index[taskdef.Family]{
		{Name: FamiliesByStatus, Keys: func(f *taskdef.Family) [][]string {
			return [][]string{{f.Account, f.Region, f.Status()}}
		}},
	},
}

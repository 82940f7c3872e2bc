package call

import (
	"neargate/resource/network"
)

// Taggable is what tagging needs of a kind of resource.
type Taggable struct {
	Prefix, Type string
	// Edit replaces the tags of a resource by what change returns.
	Edit func(sc Scope, id string, change func([]network.Tag) ([]network.Tag, error)) error
	// List calls visit for each resource with tags.
	List func(sc Scope, visit func(id string, tags []network.Tag)) error
}

// taggable is the kind for tagging.
func (k Kind[R]) taggable() Taggable {
	return Taggable{
		Prefix: k.Prefix, Type: k.Type,
		Edit: func(sc Scope, id string, change func([]network.Tag) ([]network.Tag, error)) error {
			r, err := k.Get(sc, id)
			if err != nil {
				return err
			}
			tags, err := change(*k.Tags(&r))
			if err != nil {
				return err
			}
			*k.Tags(&r) = tags
			return k.Table.Put(sc.Tx, &r)
		},
		List: func(sc Scope, visit func(string, []network.Tag)) error {
			account, region := sc.Tenant()
			for r, err := range k.Table.List(sc.Tx, account, region) {
				if err != nil {
					return err
				}
				visit(k.ID(&r), *k.Tags(&r))
			}
			return nil
		},
	}
}

// Taggables are the kinds of resource that have tags.
func Taggables() []Taggable {
	return []Taggable{
		DhcpOptions.taggable(), InternetGateways.taggable(), NetworkAcls.taggable(), Interfaces.taggable(), RouteTables.taggable(),
		Groups.taggable(), Rules.taggable(), Subnets.taggable(), Vpcs.taggable(),
		ElasticIPs.taggable(), NatGateways.taggable(), EgressOnlyGateways.taggable(), Endpoints.taggable(), PrefixLists.taggable(), peerings(),
		FlowLogs.taggable(), reservations(),
		InsightsPaths.taggable(), InsightsAnalyses.taggable(),
	}
}

// Package networks reads what is stored of networks as package path wants it.
package networks

import (
	"net/netip"

	"neargate/resource/network"
	"neargate/resource/network/path"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// Load reads the networks of an account's region in an installation with the public
// range pool. What is on the other side of a peering connection with another
// account or region is not read.
func Load(tx store.Tx, pool netip.Prefix, account, region string) (path.Network, error) {
	n, err := load(tx, pool, account, region)
	if err == nil {
		n.Peerings, err = store.Collect(edges.Peerings.By(tx, edges.PeeringsBySide, account, region))
	}
	return n, err
}

// LoadAll reads the networks of the whole installation.
func LoadAll(tx store.Tx, pool netip.Prefix) (path.Network, error) {
	n, err := load(tx, pool)
	if err == nil {
		n.Peerings, err = store.Collect(edges.Peerings.List(tx))
	}
	return n, err
}

// load reads everything under a key but peering connections.
func load(tx store.Tx, pool netip.Prefix, key ...string) (path.Network, error) {
	n := path.Network{Pool: pool}
	if pool.IsValid() {
		n.Services = []netip.Addr{network.ServiceAddress(pool), network.ObjectRange(pool).Addr()}
	}
	for _, read := range []func() error{
		into(tx, tables.Vpcs, key, &n.Vpcs),
		into(tx, tables.Subnets, key, &n.Subnets),
		into(tx, tables.RouteTables, key, &n.RouteTables),
		into(tx, tables.NetworkAcls, key, &n.Acls),
		into(tx, tables.SecurityGroups, key, &n.Groups),
		into(tx, tables.SecurityGroupRules, key, &n.Rules),
		into(tx, tables.NetworkInterfaces, key, &n.Interfaces),
		into(tx, tables.InternetGateways, key, &n.Gateways),
		into(tx, edges.EgressOnlyGateways, key, &n.EgressOnly),
		into(tx, edges.NatGateways, key, &n.NatGateways),
		into(tx, edges.Endpoints, key, &n.Endpoints),
		into(tx, edges.PrefixLists, key, &n.PrefixLists),
	} {
		if err := read(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// into reads a table's records under a key.
func into[T any](tx store.Tx, table store.Table[T], key []string, to *[]T) func() error {
	return func() (err error) {
		*to, err = store.Collect(table.List(tx, key...))
		return err
	}
}

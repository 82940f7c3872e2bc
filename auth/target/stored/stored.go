// Package stored reads the records that decide about calls of Amazon EC2.
package stored

import (
	"neargate/arn"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables/edges"
	"neargate/store/tables/insights"
)

// Associated are the Elastic IP address with the association and its interface; ""
// when there is none.
func Associated(tx store.Tx, account, region, association string) (allocation, eni string) {
	for a, err := range edges.ElasticIPs.List(tx, account, region) {
		if err == nil && association != "" && a.Association == association {
			return a.ID, a.ENI
		}
	}
	return "", ""
}

// Accepter is the VPC of the account that a peering connection is to; "" when it is
// another one's.
func Accepter(tx store.Tx, account, id string) string {
	if p, ok, err := edges.Peerings.Find(tx, id); err == nil && ok && p.Accepter.Account == account {
		return p.Accepter.Vpc
	}
	return ""
}

// Tags are the tags of what leads out of a VPC and of what analyses it, by the
// prefix of its id.
func Tags(tx store.Tx, a arn.ARN, prefix, id string) ([]identity.Tag, error) {
	switch prefix {
	case "nip":
		r, _, err := insights.Paths.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "nia":
		r, _, err := insights.Analyses.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "eipalloc":
		r, _, err := edges.ElasticIPs.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "nat":
		r, _, err := edges.NatGateways.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "eigw":
		r, _, err := edges.EgressOnlyGateways.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "vpce":
		r, _, err := edges.Endpoints.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "pl":
		r, _, err := edges.PrefixLists.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "fl":
		r, _, err := edges.FlowLogs.Find(tx, a.Account, a.Region, id)
		return tagged(r.Tags), err
	case "pcx":
		r, ok, err := edges.Peerings.Find(tx, id)
		switch {
		case !ok || err != nil:
			return nil, err
		case r.Requester.Account == a.Account && r.Requester.Region == a.Region:
			return tagged(r.Tags), nil
		case r.Accepter.Account == a.Account && r.Accepter.Region == a.Region:
			return tagged(r.AccepterTags), nil
		}
	}
	return nil, nil
}

func tagged[T ~struct{ Key, Value string }](tags []T) []identity.Tag {
	out := make([]identity.Tag, len(tags))
	for i, t := range tags {
		out[i] = identity.Tag(t)
	}
	return out
}

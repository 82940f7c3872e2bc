// Package zone holds the stored records of Amazon Route 53: hosted zones, the
// record sets in them, and changes; and what follows from them alone.
package zone

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Zone is a hosted zone.
type Zone struct {
	Account, ID     string
	Name            string // canonical
	CallerReference string
	Comment         string `json:",omitempty"`
	Private         bool
	VPCs            []VPC    `json:",omitempty"` // of a private zone, in the order they came
	Authorized      []VPC    `json:",omitempty"` // of other accounts, which may associate them
	NameServers     []string // without the last dot
	Count           int      // of record sets
	CreatedAt       time.Time
	Tags            []Tag `json:",omitempty"`
}

// VPC is a VPC anywhere in the installation.
type VPC struct{ Region, ID string }

// Tag is a tag of a hosted zone.
type Tag struct{ Key, Value string }

// Sees reports whether the zone is associated with a VPC.
func (z *Zone) Sees(v VPC) bool { return slices.Contains(z.VPCs, v) }

// ARN is the zone's Amazon Resource Name.
func ARN(id string) string { return "arn:aws:route53:::hostedzone/" + id }

// RecordSet is a resource record set: the records of a name and type, or one of
// several such sets.
type RecordSet struct {
	Account, Zone string
	Name          string // canonical
	Type          string
	SetID         string   `json:",omitempty"` // of one of several
	TTL           int64    `json:",omitempty"`
	Values        []string `json:",omitempty"`
	Alias         *Alias   `json:",omitempty"` // in place of TTL and Values
	Weight        *int64   `json:",omitempty"`
	MultiValue    *bool    `json:",omitempty"`
}

// Alias says whose records a record set has.
type Alias struct {
	Zone     string // id of the hosted zone of Name
	Name     string // canonical
	Evaluate bool   // EvaluateTargetHealth
}

// Simple reports whether the set is the only one of its name and type.
func (r *RecordSet) Simple() bool { return r.SetID == "" }

// Same reports whether two sets say the same; the order of their values is nothing.
func (r *RecordSet) Same(o *RecordSet) bool {
	eq := func(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }
	alias := r.Alias == o.Alias || r.Alias != nil && o.Alias != nil && *r.Alias == *o.Alias
	multi := (r.MultiValue != nil && *r.MultiValue) == (o.MultiValue != nil && *o.MultiValue)
	return r.Name == o.Name && r.Type == o.Type && r.SetID == o.SetID && r.TTL == o.TTL && alias && multi && eq(r.Weight, o.Weight) &&
		slices.Equal(slices.Sorted(slices.Values(r.Values)), slices.Sorted(slices.Values(o.Values)))
}

// String names the set as the messages of Route 53 do.
func (r *RecordSet) String() string {
	id := ""
	if r.SetID != "" {
		id = fmt.Sprintf(", set-identifier='%s'", r.SetID)
	}
	return fmt.Sprintf("[name='%s', type='%s'%s]", r.Name, r.Type, id)
}

// Change is a change of a hosted zone or of what it is associated with.
type Change struct {
	Account, ID string
	Comment     string `json:",omitempty"`
	SubmittedAt time.Time
}

// Times to live of what every zone is born with.
const (
	nsTTL  = 172800
	soaTTL = 900
)

// Born are the record sets a zone is created with. Source: Amazon Route 53
// Developer Guide, NS and SOA records that Route 53 creates for a public hosted zone.
func Born(z *Zone) []RecordSet {
	var servers []string
	for _, s := range z.NameServers {
		servers = append(servers, s+".")
	}
	soa := servers[0] + " awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
	return []RecordSet{
		{Account: z.Account, Zone: z.ID, Name: z.Name, Type: "NS", TTL: nsTTL, Values: servers},
		{Account: z.Account, Zone: z.ID, Name: z.Name, Type: "SOA", TTL: soaTTL, Values: []string{soa}},
	}
}

// NameServers are four name servers, which four numbers below 512 choose. Those of
// private zones are the same for all: chosen by 0.
func NameServers(n [4]int) []string {
	var all []string
	for i, domain := range []string{"co.uk", "com", "org", "net"} {
		first := []int{1536, 0, 1024, 512}[i]
		all = append(all, fmt.Sprintf("ns-%d.awsdns-%02d.%s", first+n[i], n[i]/8, domain))
	}
	return all
}

// Under reports whether a canonical name is a zone's own or below it.
func Under(name, zone string) bool {
	return name == zone || zone == "." || strings.HasSuffix(name, "."+zone)
}

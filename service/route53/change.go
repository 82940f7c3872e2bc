package route53

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "neargate/aws/route53"
	"neargate/resource/zone"
	"neargate/resource/zone/rdata"
	"neargate/store"
	"neargate/store/tables/zones"
)

// Quotas of a batch of changes, in which an UPSERT counts twice; and of a record set.
// Source: Amazon Route 53 Developer Guide, Quotas.
const (
	maxRecords    = 1000
	maxCharacters = 32000
	maxValues     = 400
)

// ChangeResourceRecordSets makes all changes of a batch, one after the other, or none.
func (s *Service) ChangeResourceRecordSets(ctx context.Context, in *api.ChangeResourceRecordSetsInput) (*api.ChangeResourceRecordSetsOutput, error) {
	if err := size(in.ChangeBatch.Changes); err != nil {
		return nil, err
	}
	for i := range in.ChangeBatch.Changes {
		if err := form(&in.ChangeBatch.Changes[i]); err != nil {
			return nil, err
		}
	}
	change := s.newID("C")
	out := &api.ChangeResourceRecordSetsOutput{}
	err := s.update(ctx, *in.HostedZoneId, func(tx store.Tx, z *zone.Zone) (err error) {
		b := batch{tx: tx, zone: z}
		for i := range in.ChangeBatch.Changes {
			if err := b.apply(&in.ChangeBatch.Changes[i]); err != nil {
				return err
			}
		}
		if err := b.check(); err != nil {
			return err
		}
		if len(b.problems) > 0 {
			return api.InvalidChangeBatch("[" + strings.Join(b.problems, ", ") + "]")
		}
		out.ChangeInfo, err = s.note(ctx, tx, change, deref(in.ChangeBatch.Comment))
		return err
	})
	return out, err
}

// size refuses batches that are too large.
func size(changes []api.Change) error {
	records, characters := 0, 0
	for _, c := range changes {
		times := 1
		if *c.Action == "UPSERT" {
			times = 2
		}
		records += times * max(1, len(c.ResourceRecordSet.ResourceRecords))
		for _, r := range c.ResourceRecordSet.ResourceRecords {
			characters += times * len(*r.Value)
		}
	}
	switch {
	case records > maxRecords:
		return api.InvalidChangeBatch(fmt.Sprintf("[Number of records limit of %d exceeded.]", maxRecords))
	case characters > maxCharacters:
		return api.InvalidChangeBatch(fmt.Sprintf("[Number of characters limit of %d exceeded.]", maxCharacters))
	}
	return nil
}

// batch is a batch of changes while it is made.
type batch struct {
	tx       store.Tx
	zone     *zone.Zone
	put      []zone.RecordSet
	problems []string
}

func (b *batch) problem(format string, args ...any) {
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

func (b *batch) apply(c *api.Change) error {
	r, problem := record(b.zone, c)
	if problem != "" {
		b.problem("%s", problem)
		return nil
	}
	key := zones.RecordSets.Key(&r)
	old, exists, err := zones.RecordSets.Find(b.tx, key...)
	if err != nil {
		return err
	}
	switch {
	case *c.Action == "DELETE":
		return b.delete(&r, &old, exists)
	case *c.Action == "CREATE" && exists:
		b.problem("Tried to create resource record set %s but it already exists", &r)
		return nil
	}
	if !b.valid(&r) {
		return nil
	}
	if !exists {
		b.zone.Count++
	}
	b.put = append(b.put, r)
	return zones.RecordSets.Put(b.tx, &r)
}

func (b *batch) delete(r, old *zone.RecordSet, exists bool) error {
	apex := r.Name == b.zone.Name && exists
	switch {
	case !exists:
		b.problem("Tried to delete resource record set %s but it was not found", r)
	case !r.Same(old):
		b.problem("Tried to delete resource record set %s but the values provided do not match the current values", r)
	case apex && r.Type == "SOA":
		b.problem("A HostedZone must contain exactly one SOA record.")
	case apex && r.Type == "NS":
		b.problem("A HostedZone must contain at least one NS record for the zone itself.")
	default:
		b.zone.Count--
		return zones.RecordSets.Delete(b.tx, zones.RecordSets.Key(r)...)
	}
	return nil
}

// valid checks a record set by itself.
func (b *batch) valid(r *zone.RecordSet) bool {
	before := len(b.problems)
	apex := r.Name == b.zone.Name
	switch {
	case r.Type == "CNAME" && apex:
		b.problem("RRSet of type CNAME with DNS name %s is not permitted at apex in zone %s", r.Name, b.zone.Name)
	case r.Type == "SOA" && (!apex || len(r.Values) != 1 || !r.Simple()):
		b.problem("A HostedZone must contain exactly one SOA record.")
	case r.Type == "NS" && apex && (r.Alias != nil || !r.Simple()):
		b.problem("A HostedZone must contain at least one NS record for the zone itself.")
	case r.Type == "CNAME" && len(r.Values) > 1:
		b.problem("RRSet of type CNAME with DNS name %s is not permitted to have more than one value", r.Name)
	case len(r.Values) > maxValues:
		b.problem("RRSet of type %s with DNS name %s has more than %d values", r.Type, r.Name, maxValues)
	case r.Alias != nil && (r.Type == "NS" || r.Type == "SOA"):
		b.problem("RRSet of type %s with DNS name %s is not permitted to be an alias", r.Type, r.Name)
	}
	for i, v := range r.Values {
		if _, err := rdata.Parse(r.Type, v); err != nil {
			b.problem("Invalid Resource Record: '%s'", err)
		}
		if slices.Contains(r.Values[:i], v) {
			b.problem("Duplicate Resource Record: '%s'", v)
		}
	}
	return len(b.problems) == before
}

// check looks at what the batch put, beside what else there is then.
func (b *batch) check() error {
	if b.zone.Count > maxSets {
		return api.InvalidChangeBatch(fmt.Sprintf("[The hosted zone %s has the maximum number of records, which is %d.]", b.zone.ID, maxSets))
	}
	for i := range b.put {
		r := &b.put[i]
		// A later change of the same batch may have deleted or replaced it.
		now, ok, err := zones.RecordSets.Find(b.tx, zones.RecordSets.Key(r)...)
		if err != nil {
			return err
		}
		if !ok || !now.Same(r) {
			continue
		}
		if err := b.beside(r); err != nil {
			return err
		}
		if err := b.target(r); err != nil {
			return err
		}
	}
	return nil
}

// beside looks at what has the same name.
func (b *batch) beside(r *zone.RecordSet) error {
	all, err := zones.Sets(b.tx, b.zone, r.Name)
	if err != nil {
		return err
	}
	id := ""
	if !r.Simple() {
		id = ", SetIdentifier " + r.SetID + ","
	}
	for i := range all {
		o := &all[i]
		switch {
		case o.Type != r.Type && r.Type == "CNAME":
			b.problem("RRSet of type CNAME with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s", r.Name, b.zone.Name)
			return nil
		case o.Type != r.Type && o.Type == "CNAME":
			b.problem("RRSet of type %s with DNS name %s is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone %s", r.Type, r.Name, b.zone.Name)
			return nil
		case o.Type != r.Type || o.SetID == r.SetID:
		case (o.MultiValue != nil) != (r.MultiValue != nil) && r.MultiValue != nil:
			b.problem("RRSet with DNS name %s, type %s%s cannot be created because a non multivalue answer rrset exists with the same name and type.", r.Name, r.Type, id)
			return nil
		case o.Simple() != r.Simple(), (o.Weight != nil) != (r.Weight != nil):
			b.problem("RRSet with DNS name %s, type %s%s cannot be created because other RRSets exist with the same name and type.", r.Name, r.Type, id)
			return nil
		}
	}
	return nil
}

// target looks for what an alias means: a record set of the same type in the zone.
// Aliases of other resources have none here.
func (b *batch) target(r *zone.RecordSet) error {
	a := r.Alias
	if a == nil {
		return nil
	}
	at := fmt.Sprintf("Tried to create an alias that targets %s, type %s in zone %s, but ", a.Name, r.Type, a.Zone)
	if a.Zone != b.zone.ID {
		b.problem("%sthat target was not found", at)
		return nil
	}
	if !zone.Under(a.Name, b.zone.Name) {
		b.problem("%sthe alias target name does not lie within the target zone", at)
		return nil
	}
	found, err := zones.Sets(b.tx, b.zone, a.Name, r.Type)
	if err == nil && (len(found) == 0 || a.Name == r.Name) {
		b.problem("%sthat target was not found", at)
	}
	return err
}

package billing

import (
	"time"

	"neargate/resource/compute"
	"neargate/resource/image"
	"neargate/resource/logs"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Span is usage that goes on: of a thing besides tasks, since a time.
type Span struct {
	Account, Region string
	Thing           string // nat-…, vpce-…, eipalloc-…, repository/NAME
	Part            string `json:",omitempty"` // of the thing: the subnet of an endpoint
	Dimension       Dimension
	Tags            []compute.Tag `json:",omitempty"`
	Units           int64
	Since           time.Time `json:",omitzero"` // when its next record begins; zero: when it is first seen
	Born            time.Time `json:",omitzero"` // when it began
}

// Key tells a span from every other of its installation.
func (s *Span) Key() []string {
	return []string{s.Account, s.Region, s.Thing, s.Part, string(s.Dimension)}
}

// Turn is how long a span is at most: then it leaves a record, and goes on. It is
// whole hours, so that what is paid by begun hours is not paid twice.
const Turn = 24 * time.Hour

// Due is when the span has lasted a Turn.
func (s *Span) Due() time.Time { return s.Since.Add(Turn) }

// Record is the usage of the span until a time. gone says that the thing is no
// more: only then is the least there is to pay for it known.
func (s *Span) Record(until time.Time, gone bool) Record {
	name := s.Thing
	if s.Part != "" {
		name += "/" + s.Part
	}
	r := Record{
		Labels: Labels{Account: s.Account, Region: s.Region, Tags: s.Tags, Dimension: s.Dimension},
		Task:   name, Start: s.Since, End: until, Units: s.Units, Seconds: elapsed(s.Since, until),
	}
	if r.End.Before(r.Start) {
		r.End = r.Start
	}
	switch {
	case s.Dimension.wholeHours():
		r.Seconds = max(1, (r.Seconds+3599)/3600) * 3600
	case s.Dimension.Kind() == KindAddress && gone:
		r.Seconds = max(r.Seconds, addressMinimum-elapsed(s.Born, s.Since))
	}
	return r
}

// Whole is a time without the part of a second, on which spans begin that follow
// one another: seconds of them are counted once.
func Whole(t time.Time) time.Time { return t.Truncate(time.Second) }

// From is the span as seen at a time: one that did not say when it begins begins
// then.
func (s Span) From(at time.Time) Span {
	if s.Since.IsZero() {
		s.Since = Whole(at)
	}
	if s.Born.IsZero() {
		s.Born = s.Since
	}
	return s
}

// OfNatGateway is what a NAT gateway uses that is or was available, from when it
// was made.
func OfNatGateway(g *edge.NatGateway) []Span {
	if g.State == edge.Pending || g.State == edge.Failed || len(g.Addresses) == 0 || g.Addresses[0].ENI == "" {
		return nil
	}
	return []Span{{
		Account: g.Account, Region: g.Region, Thing: g.ID, Dimension: NAT, Tags: networkTags(g.Tags), Units: 1, Since: g.CreatedAt,
	}}
}

// OfEndpoint is what an interface endpoint uses, in each of its subnets.
func OfEndpoint(e *edge.Endpoint) (out []Span) {
	if e.Type != edge.InterfaceEndpoint || e.State == edge.Pending {
		return nil
	}
	for _, subnet := range e.Subnets {
		out = append(out, Span{
			Account: e.Account, Region: e.Region, Thing: e.ID, Part: subnet, Dimension: Endpoint, Tags: networkTags(e.Tags), Units: 1,
			Since: e.CreatedAt,
		})
	}
	return out
}

// OfAddress is what an Elastic IP address uses: it costs the same in use and idle,
// under another name.
func OfAddress(a *edge.ElasticIP) []Span {
	s := Span{Account: a.Account, Region: a.Region, Thing: a.ID, Dimension: IdleIPv4, Tags: networkTags(a.Tags), Units: 1}
	if a.ENI != "" {
		s.Dimension = PublicIPv4
	}
	return []Span{s}
}

// RepositoryThing begins the name of a repository as a thing.
const RepositoryThing = "repository/"

// OfRepository is what a repository's layers take.
func OfRepository(r *image.Repository, bytes int64) []Span {
	if bytes == 0 {
		return nil
	}
	s := Span{Account: r.Account, Region: r.Region, Thing: RepositoryThing + r.Name, Dimension: ImageStorage, Units: (bytes + 1023) >> 10}
	for _, l := range r.Labels {
		s.Tags = append(s.Tags, compute.Tag{Key: l.Key, Value: l.Value})
	}
	return []Span{s}
}

// Ingested is the usage of KiB that came to a log group at a time.
func Ingested(g *logs.Group, kib int64, at time.Time) Record {
	r := Record{
		Labels: Labels{Account: g.Account, Region: g.Region, Dimension: LogIngestion},
		Task:   "log-group/" + g.Name, Start: at, End: at, Seconds: 1, Units: kib,
	}
	for _, t := range g.Tags {
		r.Tags = append(r.Tags, compute.Tag{Key: t.Key, Value: t.Value})
	}
	return r
}

func networkTags(tags []network.Tag) (out []compute.Tag) {
	for _, t := range tags {
		out = append(out, compute.Tag{Key: t.Key, Value: t.Value})
	}
	return out
}

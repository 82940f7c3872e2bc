package meter

import (
	"slices"
	"strings"
	"time"

	"neargate/control/loop"
	"neargate/resource/billing"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables/edges"
	"neargate/store/tables/repositories"
	"neargate/store/tables/usages"
)

// Thing names what is paid for besides tasks: an id, or repository/NAME.
type Thing struct{ Account, Region, ID string }

// ThingState is what a decision about a thing rests on.
type ThingState struct {
	Used []billing.Span // what it uses now
	Kept []billing.Span // what is kept of that
	// Ending says that the thing is being deleted; what it used ends in the
	// transaction that deletes it.
	Ending bool
}

// ThingAction ends a span, if there is one, and keeps another, if there is one.
type ThingAction struct {
	End   *billing.Span
	Until time.Time
	Gone  bool // the thing is no more
	Keep  *billing.Span
}

// Things is the controller that meters NAT gateways, interface endpoints, Elastic IP
// addresses and repositories. It keeps a span of what each uses; a span that has
// lasted a day, or changes, leaves a record, in the transaction in which another
// follows it.
func Things() loop.Runner {
	return loop.Controller[Thing, ThingState, ThingAction]{
		Name: "meter-things",
		Inputs: []loop.Input[Thing]{
			{Prefix: store.Prefix(edges.NatGateways.Name), Keys: named("")},
			{Prefix: store.Prefix(edges.Endpoints.Name), Keys: named("")},
			{Prefix: store.Prefix(edges.ElasticIPs.Name), Keys: named("")},
			{Prefix: store.Prefix(repositories.Repositories.Name), Keys: named(billing.RepositoryThing)},
			{Prefix: store.Prefix(repositories.Layers.Name), Keys: named(billing.RepositoryThing)},
			{Prefix: store.Prefix(usages.Spans.Name), Keys: named("")},
		},
		Outputs: usages.Prefixes(),
		Load:    loadThing,
		Plan:    PlanThing,
		Write:   writeThing,
	}
}

// named tells the thing whose name is the third segment of a key.
func named(prefix string) func(store.Tx, store.Event) ([]Thing, error) {
	return func(_ store.Tx, e store.Event) ([]Thing, error) {
		_, s := store.Segments(e.Key)
		return []Thing{{s[0], s[1], prefix + s[2]}}, nil
	}
}

func loadThing(tx store.Tx, k Thing) (s ThingState, err error) {
	if s.Kept, err = store.Collect(usages.Spans.List(tx, k.Account, k.Region, k.ID)); err != nil {
		return s, err
	}
	if name, ok := strings.CutPrefix(k.ID, billing.RepositoryThing); ok {
		s.Used, err = repository(tx, k, name)
		return s, err
	}
	kind, _, _ := strings.Cut(k.ID, "-")
	switch kind {
	case "nat":
		g, ok, err := edges.NatGateways.Find(tx, k.Account, k.Region, k.ID)
		if ok && g.State == edge.Available {
			s.Used = billing.OfNatGateway(&g)
		}
		s.Ending = ok && g.State == edge.Deleting
		return s, err
	case "vpce":
		e, ok, err := edges.Endpoints.Find(tx, k.Account, k.Region, k.ID)
		if ok && e.State == edge.Available {
			s.Used = billing.OfEndpoint(&e)
		}
		s.Ending = ok && e.State == edge.Deleting
		return s, err
	case "eipalloc":
		a, ok, err := edges.ElasticIPs.Find(tx, k.Account, k.Region, k.ID)
		if ok {
			s.Used = billing.OfAddress(&a)
		}
		return s, err
	}
	return s, nil
}

func repository(tx store.Tx, k Thing, name string) ([]billing.Span, error) {
	r, ok, err := repositories.Repositories.Find(tx, k.Account, k.Region, name)
	if err != nil || !ok {
		return nil, err
	}
	bytes := int64(0)
	for l, err := range repositories.Layers.List(tx, k.Account, k.Region, name) {
		if err != nil {
			return nil, err
		}
		bytes += l.Size
	}
	return billing.OfRepository(&r, bytes), nil
}

// PlanThing decides for one thing.
func PlanThing(now time.Time, s ThingState) (out []ThingAction, wake time.Time) {
	if s.Ending {
		return nil, time.Time{}
	}
	keep := func(n billing.Span) {
		if due := n.Due(); wake.IsZero() || due.Before(wake) {
			wake = due
		}
	}
	born := time.Time{}
	for i := range s.Kept {
		k := &s.Kept[i]
		if born.IsZero() || k.Born.Before(born) {
			born = k.Born
		}
		at := slices.IndexFunc(s.Used, func(u billing.Span) bool { return slices.Equal(u.Key(), k.Key()) })
		if at < 0 {
			out = append(out, ThingAction{End: k, Until: billing.Whole(now), Gone: len(s.Used) == 0})
			continue
		}
		n := *k
		n.Tags, n.Units = s.Used[at].Tags, s.Used[at].Units
		switch {
		case n.Units != k.Units:
			n.Since = later(billing.Whole(now), k.Since)
			out = append(out, ThingAction{End: k, Until: n.Since, Keep: &n})
		case !now.Before(k.Due()):
			n.Since = k.Since.Add(now.Sub(k.Since).Truncate(billing.Turn))
			end := *k
			end.Tags = n.Tags
			out = append(out, ThingAction{End: &end, Until: n.Since, Keep: &n})
		case !slices.Equal(n.Tags, k.Tags):
			out = append(out, ThingAction{Keep: &n})
		}
		keep(n)
	}
	for _, u := range s.Used {
		if slices.ContainsFunc(s.Kept, func(k billing.Span) bool { return slices.Equal(u.Key(), k.Key()) }) {
			continue
		}
		n := u.From(now)
		if n.Dimension.Kind() == billing.KindAddress && !born.IsZero() {
			n.Born = born // it was used otherwise before
		}
		out = append(out, ThingAction{Keep: &n})
		keep(n)
	}
	return out, wake
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func writeThing(tx store.Tx, a ThingAction) error {
	if a.End != nil {
		if err := usages.Close(tx, *a.End, a.Until, a.Gone); err != nil {
			return err
		}
	}
	if a.Keep != nil {
		return usages.Spans.Put(tx, a.Keep)
	}
	return nil
}

package edge

import (
	"slices"
	"time"

	"neargate/control/loop"
	"neargate/resource/billing"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
	"neargate/store/tables/usages"
)

// EndpointState is what a decision about a VPC endpoint rests on.
type EndpointState struct {
	Endpoint record.Endpoint
	Found    bool
	Tables   []string // those of its route tables that exist
}

// EndpointAction is a decision about one VPC endpoint: how it is to be, or that it
// is to go.
type EndpointAction struct {
	Endpoint record.Endpoint
	Remove   bool
}

// Endpoints is the controller of VPC endpoints.
func Endpoints() loop.Runner {
	return loop.Controller[Key, EndpointState, EndpointAction]{
		Name: "vpc-endpoints",
		Inputs: []loop.Input[Key]{
			{Prefix: store.Prefix(edges.Endpoints.Name), Keys: primary},
			{Prefix: store.Prefix(tables.RouteTables.Name), Keys: ofRouteTable},
		},
		Outputs: slices.Concat(edges.Endpoints.Prefixes(), edges.ElasticIPs.Prefixes(), tables.NetworkInterfaces.Prefixes(),
			tables.PrivateAddresses.Prefixes(), tables.PublicAddresses.Prefixes(), usages.Prefixes()),
		Load:  loadEndpoint,
		Plan:  PlanEndpoint,
		Write: writeEndpoint,
	}
}

// ofRouteTable are the endpoints of a route table that is gone.
func ofRouteTable(tx store.Tx, ev store.Event) ([]Key, error) {
	if ev.Val != nil {
		return nil, nil
	}
	_, s := store.Segments(ev.Key)
	var out []Key
	for e, err := range edges.Endpoints.List(tx, s[0], s[1]) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(e.RouteTables, s[2]) {
			out = append(out, Key{e.Account, e.Region, e.ID})
		}
	}
	return out, nil
}

func loadEndpoint(tx store.Tx, k Key) (s EndpointState, err error) {
	s.Endpoint, s.Found, err = edges.Endpoints.Find(tx, k.Account, k.Region, k.ID)
	if err != nil {
		return s, err
	}
	for _, id := range s.Endpoint.RouteTables {
		_, ok, err := tables.RouteTables.Find(tx, k.Account, k.Region, id)
		if err != nil {
			return s, err
		}
		if ok {
			s.Tables = append(s.Tables, id)
		}
	}
	return s, nil
}

// PlanEndpoint decides for one VPC endpoint.
func PlanEndpoint(_ time.Time, s EndpointState) ([]EndpointAction, time.Time) {
	e := s.Endpoint
	switch {
	case !s.Found:
		return nil, time.Time{}
	case e.State == record.Deleting:
		return []EndpointAction{{Endpoint: e, Remove: true}}, time.Time{}
	case e.State == record.Available && len(s.Tables) == len(e.RouteTables):
		return nil, time.Time{}
	}
	e.State, e.RouteTables = record.Available, s.Tables
	return []EndpointAction{{Endpoint: e}}, time.Time{}
}

func writeEndpoint(tx store.Tx, a EndpointAction) error {
	e := &a.Endpoint
	if !a.Remove {
		return edges.Endpoints.Put(tx, e)
	}
	if err := usages.End(tx, billing.OfEndpoint(e), e.DeletedAt); err != nil {
		return err
	}
	for _, id := range e.ENIs {
		eni, ok, err := tables.NetworkInterfaces.Find(tx, e.Account, e.Region, id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := address.DeleteInterface(tx, &eni); err != nil {
			return err
		}
	}
	return edges.Endpoints.Delete(tx, e.Account, e.Region, e.ID)
}

package meter

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"neargate/control/edge"
	"neargate/control/loop"
	"neargate/resource/billing"
	"neargate/resource/image"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
	"neargate/store/tables/repositories"
	"neargate/store/tables/usages"
)

func update(t *testing.T, st store.Store, f func(store.Tx) error) {
	t.Helper()
	if err := st.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// used adds up what is recorded, by thing and usage: seconds times units.
func used(t *testing.T, st store.Store) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, r := range pending(t, st) {
		out[r.Task+" "+r.Dimension.Usage()] += r.Seconds * r.Units
	}
	return out
}

func spans(t *testing.T, st store.Store) (out []billing.Span) {
	t.Helper()
	update(t, st, func(tx store.Tx) (err error) {
		out, err = store.Collect(usages.Spans.List(tx))
		return err
	})
	return out
}

// TestThings takes each kind of thing through its life.
func TestThings(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	nat := record.NatGateway{Account: "1", Region: "us-east-1", ID: "nat-1", State: record.Available, CreatedAt: t0, Addresses: []record.NatAddress{{ENI: "eni-1"}}}
	private := nat
	private.ID, private.State = "nat-2", record.Pending
	endpoint := record.Endpoint{Account: "1", Region: "us-east-1", ID: "vpce-1", Type: record.InterfaceEndpoint, State: record.Available, Subnets: []string{"subnet-1", "subnet-2"}, CreatedAt: t0}
	ip := record.ElasticIP{Account: "1", Region: "us-east-1", ID: "eipalloc-1", Address: "198.18.0.1"}
	repository := image.Repository{Account: "1", Region: "us-east-1", Name: "team/app"}
	layer := image.Layer{Account: "1", Region: "us-east-1", Repository: "team/app", Digest: "sha256:1", Size: 5 << 20}
	update(t, st, func(tx store.Tx) error {
		for _, err := range []error{
			edges.NatGateways.Put(tx, &nat), edges.NatGateways.Put(tx, &private), edges.Endpoints.Put(tx, &endpoint), edges.ElasticIPs.Put(tx, &ip),
			usages.Begin(tx, billing.OfAddress(&ip), t0), repositories.Repositories.Put(tx, &repository), repositories.Layers.Put(tx, &layer),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	run(t, st, Things(), t0)
	if got := spans(t, st); len(got) != 5 {
		t.Errorf("%+v", got)
	}
	if got := used(t, st); len(got) != 0 {
		t.Errorf("%v", got)
	}
	// Half an hour later: the address is in use, a subnet and half the layers are gone.
	ip.ENI, endpoint.Subnets, layer.Size = "eni-1", endpoint.Subnets[:1], 1<<20
	update(t, st, func(tx store.Tx) error {
		for _, err := range []error{edges.Endpoints.Put(tx, &endpoint), edges.ElasticIPs.Put(tx, &ip), repositories.Layers.Put(tx, &layer)} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	run(t, st, Things(), t0.Add(30*time.Minute))
	// Two days and an hour after the start, seen once: days are recorded.
	run(t, st, Things(), t0.Add(49*time.Hour))
	for _, s := range spans(t, st) {
		if s.Since.Before(t0.Add(48*time.Hour)) || s.Since.After(t0.Add(49*time.Hour)) {
			t.Errorf("%+v", s)
		}
	}
	// At 50 hours and a second everything is deleted.
	end := t0.Add(50*time.Hour + time.Second)
	nat.State, nat.DeletedAt, endpoint.State, endpoint.DeletedAt = record.Deleting, end, record.Deleting, end
	update(t, st, func(tx store.Tx) error {
		for _, err := range []error{
			edges.NatGateways.Put(tx, &nat), edges.Endpoints.Put(tx, &endpoint), usages.End(tx, billing.OfAddress(&ip), end),
			address.ReleaseElastic(tx, &ip), repositories.Layers.Delete(tx, repositories.Layers.Key(&layer)...),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	run(t, st, Things(), end.Add(time.Hour)) // not before they are gone
	for _, c := range []loop.Runner{edge.NatGateways(nil), edge.Endpoints(), Things()} {
		run(t, st, c, end.Add(2*time.Hour))
	}
	const hour = 3600
	want := map[string]int64{
		"nat-1 NatGateway-Hours":                   51 * hour,
		"vpce-1/subnet-1 VpcEndpoint-Hours":        51 * hour,
		"vpce-1/subnet-2 VpcEndpoint-Hours":        hour,
		"eipalloc-1 PublicIPv4:IdleAddress":        hour / 2,
		"eipalloc-1 PublicIPv4:InUseAddress":       49*hour + hour/2 + 1,
		"repository/team/app TimedStorage-ByteHrs": 5<<10*hour/2 + 1<<10*(50*hour+hour/2+1),
	}
	got := used(t, st)
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s: %d, want %d", k, got[k], n)
		}
	}
	if len(got) != len(want) || len(spans(t, st)) != 0 {
		t.Errorf("%v; kept %+v", got, spans(t, st))
	}
}

// TestThingsVanished ends what went away without its end being told.
func TestThingsVanished(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	s := billing.Span{Account: "1", Region: "us-east-1", Thing: "nat-1", Dimension: billing.NAT, Units: 1, Since: t0, Born: t0}
	update(t, st, func(tx store.Tx) error { return usages.Begin(tx, []billing.Span{s}, t0) })
	for range 2 {
		run(t, st, Things(), t0.Add(26*time.Hour+time.Minute))
	}
	if got := used(t, st); len(spans(t, st)) != 0 || got["nat-1 NatGateway-Hours"] != 27*3600 {
		t.Errorf("%v", got)
	}
}

// TestThingsCrashes changes what a repository holds and how an address is used at
// random, over days, while the controller is killed and forgets what it was told, and
// wants every second of every KiB once.
func TestThingsCrashes(t *testing.T) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		st := mem.New()
		now := t0
		ip := record.ElasticIP{Account: "1", Region: "us-east-1", ID: "eipalloc-1"}
		repository := image.Repository{Account: "1", Region: "us-east-1", Name: "r"}
		update(t, st, func(tx store.Tx) error {
			if err := usages.Begin(tx, billing.OfAddress(&ip), now); err != nil {
				return err
			}
			if err := repositories.Repositories.Put(tx, &repository); err != nil {
				return err
			}
			return edges.ElasticIPs.Put(tx, &ip)
		})
		kib, inUse := int64(0), false
		var stored, idle, busy int64
		for i := range 120 {
			took := int64(rnd.IntN(20 * 3600))
			if rnd.IntN(3) == 0 {
				took = int64(rnd.IntN(3))
			}
			stored += kib * took
			if inUse {
				busy += took
			} else {
				idle += took
			}
			now = now.Add(time.Duration(took) * time.Second)
			kib = int64(rnd.IntN(1000)) * int64(rnd.IntN(2))
			inUse = rnd.IntN(2) == 0
			if ip.ENI = ""; inUse {
				ip.ENI = "eni-1"
			}
			update(t, st, func(tx store.Tx) error {
				l := image.Layer{Account: "1", Region: "us-east-1", Repository: "r", Digest: fmt.Sprint("sha256:", i), Size: kib << 10}
				old, err := store.Collect(repositories.Layers.List(tx, "1", "us-east-1", "r"))
				if err != nil {
					return err
				}
				for _, o := range old {
					if err := repositories.Layers.Delete(tx, repositories.Layers.Key(&o)...); err != nil {
						return err
					}
				}
				if err := repositories.Layers.Put(tx, &l); err != nil {
					return err
				}
				return edges.ElasticIPs.Put(tx, &ip)
			})
			for range 1 + rnd.IntN(2) {
				run(t, st, Things(), now) // started anew each time
			}
		}
		update(t, st, func(tx store.Tx) error {
			if err := usages.End(tx, billing.OfAddress(&ip), now); err != nil {
				return err
			}
			for _, s := range []string{edges.ElasticIPs.Name, repositories.Repositories.Name} {
				for k := range tx.List(store.Prefix(s), "", 0) {
					tx.Delete(k)
				}
			}
			return nil
		})
		run(t, st, Things(), now)
		got := used(t, st)
		if got["repository/r TimedStorage-ByteHrs"] != stored || got["eipalloc-1 PublicIPv4:IdleAddress"] != idle || got["eipalloc-1 PublicIPv4:InUseAddress"] != busy || len(spans(t, st)) != 0 {
			t.Errorf("seed %d: %v, want %d KiB seconds, %d s idle, %d s in use", seed, got, stored, idle, busy)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

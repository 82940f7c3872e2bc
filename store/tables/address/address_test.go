package address

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"neargate/resource/network"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

func subnet(cidr string) *network.Subnet {
	s := network.Defaults("123456789012", "us-east-1").Subnets[0]
	s.CIDR = cidr
	return &s
}

func update(t *testing.T, st store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := st.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// TestConflictsAreExact starts an allocation and makes another before the first
// commits: only one that wants the same address may make it run again.
func TestConflictsAreExact(t *testing.T) {
	for _, c := range []struct {
		name  string
		other func(tx store.Tx, s *network.Subnet, mine string) error
		runs  int
	}{
		{"another address", func(tx store.Tx, s *network.Subnet, _ string) error {
			_, err := Allocate(tx, s, "eni-2")
			return err
		}, 1},
		{"the same address", func(tx store.Tx, s *network.Subnet, mine string) error { return Take(tx, s, "eni-2", mine) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := mem.New(mem.Paranoid())
			defer st.Close()
			s := subnet("172.31.0.0/20")
			runs := 0
			var got string
			update(t, st, func(tx store.Tx) error {
				var err error
				if got, err = Allocate(tx, s, "eni-1"); err != nil {
					return err
				}
				if runs++; runs == 1 {
					update(t, st, func(tx store.Tx) error { return c.other(tx, s, got) })
				}
				return nil
			})
			if runs != c.runs {
				t.Errorf("ran %d times, want %d", runs, c.runs)
			}
			taken := tables.PrivateAddresses
			owners := map[string]string{}
			update(t, st, func(tx store.Tx) error {
				for a, err := range taken.List(tx, s.Account, s.Region, s.ID) {
					if err != nil {
						return err
					}
					owners[a.ENI] = a.Address
				}
				return nil
			})
			if len(owners) != 2 || owners["eni-1"] != got || owners["eni-2"] == got {
				t.Errorf("owners %v, got %s", owners, got)
			}
		})
	}
}

func TestAllocateUntilExhausted(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	s := subnet("10.0.0.0/25")
	seen := map[string]bool{}
	for i := range 123 {
		update(t, st, func(tx store.Tx) error {
			a, err := Allocate(tx, s, fmt.Sprint("eni-", i))
			if seen[a] {
				t.Errorf("%s was handed out twice", a)
			}
			seen[a] = true
			return err
		})
	}
	update(t, st, func(tx store.Tx) error {
		if n, err := Available(tx, s); n != 0 || err != nil {
			t.Errorf("%d available, %v", n, err)
		}
		if _, err := Allocate(tx, s, "eni-more"); !errors.Is(err, ErrExhausted) {
			t.Errorf("a full subnet: %v", err)
		}
		return nil
	})
}

func TestTake(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	s := subnet("10.0.0.0/28")
	update(t, st, func(tx store.Tx) error {
		for addr, want := range map[string]error{
			"10.0.0.3": ErrOutside, "10.0.0.15": ErrOutside, "10.0.1.5": ErrOutside, "x": ErrOutside, "10.0.0.5": nil,
		} {
			if err := Take(tx, s, "eni-1", addr); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", addr, err, want)
			}
		}
		if err := Take(tx, s, "eni-2", "10.0.0.5"); !errors.Is(err, ErrInUse) {
			t.Errorf("a taken address: %v", err)
		}
		return nil
	})
}

func TestConcurrentPublicAddressesAreUnique(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]int{}
	for i := range 64 {
		wg.Go(func() {
			// Two accounts ask on behalf of interfaces with equal ids, so their
			// candidates are the same and they compete for each.
			var got string
			err := st.Update(context.Background(), func(tx store.Tx) (err error) {
				got, err = AllocatePublic(tx, network.PublicPool(network.PublicRange()), fmt.Sprint("account-", i%2), "us-east-1", fmt.Sprint("eni-", i/2))
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			seen[got]++
		})
	}
	wg.Wait()
	if len(seen) != 64 {
		t.Errorf("64 interfaces share %d addresses", len(seen))
	}
}

func TestDeleteInterface(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	s := subnet("10.0.0.0/28")
	update(t, st, func(tx store.Tx) error {
		e := network.NetworkInterface{Account: s.Account, Region: s.Region, ID: "eni-1", Subnet: s.ID}
		private, err := Allocate(tx, s, e.ID)
		if err != nil {
			return err
		}
		public, err := AllocatePublic(tx, network.PublicPool(network.PublicRange()), e.Account, e.Region, e.ID)
		if err != nil {
			return err
		}
		e.Addresses, e.PublicIP = []string{private}, public
		if err := tables.NetworkInterfaces.Put(tx, &e); err != nil {
			return err
		}
		return DeleteInterface(tx, &e)
	})
	update(t, st, func(tx store.Tx) error {
		for _, table := range []string{tables.PrivateAddresses.Name, tables.PublicAddresses.Name, tables.NetworkInterfaces.Name, tables.InterfacesByVpc} {
			if n := tx.Count(store.Prefix(table)); n != 0 {
				t.Errorf("%d keys left in %s", n, table)
			}
		}
		return nil
	})
}

func TestEnsureDefaultNetworkHappensOnce(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	ensure := func() store.Rev {
		update(t, st, func(tx store.Tx) error { return tables.EnsureDefaultNetwork(tx, "123456789012", "us-east-1") })
		var rev store.Rev
		if err := st.View(context.Background(), func(tx store.Tx) error { rev = tx.Rev(); return nil }); err != nil {
			t.Fatal(err)
		}
		return rev
	}
	first := ensure()
	if second := ensure(); second != first {
		t.Errorf("the second call wrote: revision %d after %d", second, first)
	}
	update(t, st, func(tx store.Tx) error { return tables.EnsureDefaultNetwork(tx, "123456789012", "mars-1") })
	if last := ensure(); last != first {
		t.Error("an unknown region got a network")
	}
}

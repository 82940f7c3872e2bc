package vault

import (
	"fmt"
	"testing"
	"time"

	"neargate/control/loop"
	"neargate/resource/param"
	"neargate/resource/secret"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables/parameters"
	"neargate/store/tables/secrets"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// run lets a controller do everything until now and returns when it looks again.
func run(t *testing.T, st store.Store, r loop.Runner, now time.Time) (wake time.Time) {
	t.Helper()
	s := r.Stepper(1)
	if err := s.List(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	for ran, p := s.Step(t.Context(), st, now); ran; ran, p = s.Step(t.Context(), st, now) {
		if p.Err != nil {
			t.Fatalf("pass %+v", p)
		}
	}
	wake, _ = s.Next()
	return wake
}

func update(t *testing.T, st store.Store, f func(tx store.Tx) error) {
	t.Helper()
	if err := st.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, st store.Store) (n int) {
	t.Helper()
	update(t, st, func(tx store.Tx) error {
		n = tx.Count("")
		return nil
	})
	return n
}

func TestParameters(t *testing.T) {
	st := mem.New(mem.Paranoid())
	update(t, st, func(tx store.Tx) error {
		for i := range 4 {
			p := param.Parameter{Account: "1", Region: "r", Path: fmt.Sprintf("/p/%d", i), Oldest: 3}
			p.Latest = param.Version{Account: "1", Region: "r", Path: p.Path, Number: 102, Tier: param.Advanced}
			if i > 0 {
				p.Latest.Policies = []param.Policy{{At: t0.Add(time.Duration(i) * time.Hour)}}
			}
			if err := parameters.Parameters.Put(tx, &p); err != nil {
				return err
			}
			for n := p.Oldest; n <= p.Latest.Number; n++ {
				v := p.Latest
				v.Number = n
				if err := parameters.Versions.Put(tx, &v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	all := count(t, st)
	if wake := run(t, st, Parameters(), t0.Add(time.Hour-1)); !wake.Equal(t0.Add(time.Hour)) || count(t, st) != all {
		t.Errorf("too early: %d of %d left, looks again at %v", count(t, st), all, wake)
	}
	if wake := run(t, st, Parameters(), t0.Add(2*time.Hour)); !wake.Equal(t0.Add(3*time.Hour)) || count(t, st) != 102+103 {
		t.Errorf("%d left, looks again at %v", count(t, st), wake)
	}
	run(t, st, Parameters(), t0.AddDate(9, 0, 0))
	if n := count(t, st); n != 102 {
		t.Errorf("%d left, the one that stays has 102", n)
	}
}

func TestSecrets(t *testing.T) {
	st := mem.New(mem.Paranoid())
	update(t, st, func(tx store.Tx) error {
		for i := range 3 {
			s := secret.Secret{Account: "1", Region: "r", Name: fmt.Sprint(i)}
			if i > 0 {
				s.DeletedAt, s.DeletionAt = t0, t0.AddDate(0, 0, 7*i)
			}
			if err := secrets.Secrets.Put(tx, &s); err != nil {
				return err
			}
			for n := range 250 {
				if err := secrets.Versions.Put(tx, &secret.Version{Account: "1", Region: "r", Name: s.Name, ID: fmt.Sprint(n)}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if wake := run(t, st, Secrets(), t0.AddDate(0, 0, 7).Add(-1)); !wake.Equal(t0.AddDate(0, 0, 7)) || count(t, st) != 755 {
		t.Errorf("too early: %d left, looks again at %v", count(t, st), wake)
	}
	if wake := run(t, st, Secrets(), t0.AddDate(0, 0, 7)); !wake.Equal(t0.AddDate(0, 0, 14)) || count(t, st) != 755-252 {
		t.Errorf("%d left, looks again at %v", count(t, st), wake)
	}
	run(t, st, Secrets(), t0.AddDate(1, 0, 0))
	if n := count(t, st); n != 251 {
		t.Errorf("%d left", n)
	}
}

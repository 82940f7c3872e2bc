package vault

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"neargate/control/loop"
	"neargate/resource/param"
	"neargate/resource/secret"
	"neargate/resource/signing"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables/parameters"
	"neargate/store/tables/secrets"
	"neargate/store/tables/signings"
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

// TestSignatures: jobs go six months after their signatures expired, profiles that long
// after the last one can have.
func TestSignatures(t *testing.T) {
	st := mem.New(mem.Paranoid())
	year := signing.Period{Value: 1, Type: signing.Years}
	update(t, st, func(tx store.Tx) error {
		for i := range 3 {
			p := signing.Profile{Account: "1", Region: "r", Name: fmt.Sprint(i), Validity: year, Status: signing.Active}
			if i > 0 {
				p.Status, p.EndedAt = signing.Canceled, t0.AddDate(i, 0, 0)
			}
			j := signing.Job{Account: "1", Region: "r", ID: fmt.Sprint(i), CreatedAt: t0, ExpiresAt: t0.AddDate(i, 0, 0)}
			if err := errors.Join(signings.Profiles.Put(tx, &p), signings.Jobs.Put(tx, &j)); err != nil {
				return err
			}
		}
		return nil
	})
	left := func(table string) (n int) {
		t.Helper()
		update(t, st, func(tx store.Tx) error {
			n = tx.Count(store.Prefix(table))
			return nil
		})
		return n
	}
	jobs, profiles := t0.AddDate(0, 6, 0), t0.AddDate(2, 6, 0) // of the first to go
	if wake := run(t, st, SigningJobs(), jobs.Add(-1)); !wake.Equal(jobs) || left(signings.Jobs.Name) != 3 {
		t.Errorf("too early: %d jobs left, looks again at %v", left(signings.Jobs.Name), wake)
	}
	if wake := run(t, st, SigningJobs(), jobs); !wake.Equal(jobs.AddDate(1, 0, 0)) || left(signings.Jobs.Name) != 2 {
		t.Errorf("%d jobs left, looks again at %v", left(signings.Jobs.Name), wake)
	}
	if wake := run(t, st, SigningProfiles(), profiles); !wake.Equal(profiles.AddDate(1, 0, 0)) || left(signings.Profiles.Name) != 2 {
		t.Errorf("%d profiles left, looks again at %v", left(signings.Profiles.Name), wake)
	}
	run(t, st, SigningJobs(), t0.AddDate(9, 0, 0))
	run(t, st, SigningProfiles(), t0.AddDate(9, 0, 0))
	if left(signings.Jobs.Name) != 0 || left(signings.Profiles.Name) != 1 {
		t.Errorf("%d jobs, %d profiles left", left(signings.Jobs.Name), left(signings.Profiles.Name))
	}
}

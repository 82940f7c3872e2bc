package expire

import (
	"fmt"
	"testing"
	"time"

	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

func TestSessions(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	update(t, st, func(tx store.Tx) error {
		for i := range 2*batch + 1 {
			s := identity.Session{ID: fmt.Sprintf("ASIA%d", i), Expires: t0.Add(time.Duration(i%3) * time.Hour)}
			if err := tables.Sessions.Put(tx, &s); err != nil {
				return err
			}
		}
		return nil
	})
	const day = 24 * time.Hour
	for _, tt := range []struct {
		at   time.Duration
		left int
		wake time.Duration // 0: not
	}{
		{0, 401, day},
		{day - time.Second, 401, day},
		{day, 267, day + time.Hour},
		{day + 90*time.Minute, 133, day + 2*time.Hour},
		{3 * day, 0, 0},
	} {
		wake := run(t, st, Sessions(), t0.Add(tt.at))
		if n := count(t, st, store.Prefix(tables.Sessions.Name)); n != tt.left {
			t.Errorf("after %v: %d left, want %d", tt.at, n, tt.left)
		}
		if n := count(t, st, store.Prefix(tables.SessionsByExpiry)); n != tt.left {
			t.Errorf("after %v: %d index entries, want %d", tt.at, n, tt.left)
		}
		if tt.wake == 0 && !wake.IsZero() || tt.wake != 0 && !wake.Equal(t0.Add(tt.wake)) {
			t.Errorf("after %v: looks again at %v", tt.at, wake)
		}
	}
}

func TestDeletionTasks(t *testing.T) {
	st := mem.New(mem.Paranoid())
	defer st.Close()
	update(t, st, func(tx store.Tx) error {
		for i := range 3 {
			d := identity.DeletionTask{Account: fmt.Sprint(i), ID: "task", CreatedAt: t0.Add(time.Duration(i) * time.Hour)}
			if err := tables.DeletionTasks.Put(tx, &d); err != nil {
				return err
			}
		}
		return nil
	})
	wake := run(t, st, DeletionTasks(), t0.Add(DeletionTaskFor+time.Hour))
	if n := count(t, st, store.Prefix(tables.DeletionTasks.Name)); n != 1 || !wake.Equal(t0.Add(DeletionTaskFor+2*time.Hour)) {
		t.Errorf("%d left, looks again at %v", n, wake)
	}
}

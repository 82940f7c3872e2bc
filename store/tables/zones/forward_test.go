package zones

import (
	"context"
	"testing"
	"time"

	"neargate/resource/zone"
	"neargate/store"
	"neargate/store/mem"
)

func TestLeads(t *testing.T) {
	const account, address = "123456789012", "198.18.0.9"
	st := mem.New(mem.Paranoid())
	t.Cleanup(func() { st.Close() })
	hosted := []zone.Zone{
		{Account: account, ID: "Z1", Name: "example.com.", CreatedAt: time.Unix(1, 0)},
		{Account: account, ID: "Z0", Name: "example.com.", CreatedAt: time.Unix(2, 0)}, // younger: does not count
		{Account: account, ID: "Z2", Name: "sub.example.com."},
		{Account: account, ID: "Z3", Name: "example.net.", Private: true},
	}
	sets := []zone.RecordSet{
		{Zone: "Z1", Name: "example.com.", Type: "NS", Values: []string{"ns"}},
		{Zone: "Z1", Name: "example.com.", Type: "A", Values: []string{address}},
		{Zone: "Z1", Name: "many.example.com.", Type: "A", SetID: "a", Weight: new(int64(1)), Values: []string{"192.0.2.1"}},
		{Zone: "Z1", Name: "many.example.com.", Type: "A", SetID: "b", Weight: new(int64(1)), Values: []string{"192.0.2.2", address}},
		{Zone: "Z1", Name: "six.example.com.", Type: "AAAA", Values: []string{"2001:db8::1"}},
		{Zone: "Z1", Name: "alias.example.com.", Type: "A", Alias: &zone.Alias{Zone: "Z1", Name: "many.example.com."}},
		{Zone: "Z1", Name: "away.example.com.", Type: "A", Alias: &zone.Alias{Zone: "Z2", Name: "many.example.com."}},
		{Zone: "Z1", Name: "loop.example.com.", Type: "A", Alias: &zone.Alias{Zone: "Z1", Name: "loop.example.com."}},
		{Zone: "Z1", Name: "name.example.com.", Type: "CNAME", Values: []string{"example.com"}},
		{Zone: "Z1", Name: zone.Wildcard("wild.example.com."), Type: "A", Values: []string{address}},
		{Zone: "Z1", Name: "is.wild.example.com.", Type: "TXT", Values: []string{`"x"`}},
		{Zone: "Z1", Name: "left.example.com.", Type: "NS", Values: []string{"ns"}},
		{Zone: "Z1", Name: "to.left.example.com.", Type: "A", Values: []string{address}},
		{Zone: "Z1", Name: "host.sub.example.com.", Type: "A", Values: []string{address}},
		{Zone: "Z2", Name: "own.sub.example.com.", Type: "A", Values: []string{address}},
		{Zone: "Z0", Name: "young.example.com.", Type: "A", Values: []string{address}},
		{Zone: "Z3", Name: "host.example.net.", Type: "A", Values: []string{address}},
	}
	err := st.Update(context.Background(), func(tx store.Tx) error {
		for i := range hosted {
			if err := Zones.Put(tx, &hosted[i]); err != nil {
				return err
			}
		}
		for i := range sets {
			sets[i].Account = account
			if err := RecordSets.Put(tx, &sets[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"example.com.": true, "many.example.com.": true, "alias.example.com.": true, "a.wild.example.com.": true,
		"b.a.wild.example.com.": true, "own.sub.example.com.": true,
		"six.example.com.": false, "away.example.com.": false, "loop.example.com.": false, "name.example.com.": false,
		"is.wild.example.com.": false, "wild.example.com.": false, "to.left.example.com.": false, "host.sub.example.com.": false,
		"young.example.com.": false, "host.example.net.": false, "absent.example.com.": false, "example.org.": false,
	} {
		err := st.View(context.Background(), func(tx store.Tx) error {
			got, err := Leads(tx, account, name, address)
			if got != want {
				t.Errorf("%s leads there: %v", name, got)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Package keys lets happen to KMS keys what happens with time: those pending
// deletion are deleted, and those that rotate get new material.
package keys

import (
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/internal/seal"
	"neargate/resource/key"
	"neargate/store"
	tables "neargate/store/tables/keys"
)

// parts is how many of a key's aliases, and of its grants, one pass deletes.
const parts = 100

// Item is a key to which something will happen, with what is deleted with it.
type Item struct {
	Key     key.Key
	Aliases []key.Alias
	Grants  []key.Grant
}

// Action is what happens to a key.
type Action struct {
	Item
	At     time.Time
	Rotate bool // else delete
	Last   bool // of the deletion
}

// New returns the controller. Material is sealed under the installation's master key.
func New(ids *arn.Source, master [32]byte) loop.Runner {
	sealer := seal.Sealer(master, ids.Bytes)
	outputs := append(tables.Keys.Prefixes(), tables.Aliases.Prefixes()...)
	return loop.Controller[string, Item, Action]{
		Name: "keys",
		Inputs: []loop.Input[string]{{Prefix: store.Prefix(tables.ByDue), Keys: func(_ store.Tx, e store.Event) ([]string, error) {
			if e.Val == nil {
				return nil, nil
			}
			return []string{"due"}, nil
		}}},
		Outputs: append(outputs, tables.Grants.Prefixes()...),
		Load:    load,
		Plan:    Plan,
		Write: func(tx store.Tx, a Action) error {
			if a.Rotate {
				a.Key.Rotate(a.Key.Mint(ids, key.Automatic, a.At, sealer))
				return tables.Keys.Put(tx, &a.Key)
			}
			return remove(tx, &a)
		},
	}
}

// load finds the key whose time comes first.
func load(tx store.Tx, _ string) (it Item, err error) {
	for it.Key, err = range tables.Keys.ByPage(tx, tables.ByDue, nil, "", 1) {
		if err != nil || it.Key.State != key.PendingDeletion {
			return it, err
		}
		of := []string{it.Key.Account, it.Key.Region, it.Key.ID}
		if it.Aliases, err = store.Collect(tables.Aliases.ByPage(tx, tables.ByKey, of, "", parts)); err != nil {
			return it, err
		}
		it.Grants, err = store.Collect(tables.Grants.Page(tx, of, nil, parts))
	}
	return it, err
}

// Plan lets happen what is due, and has another look at once.
func Plan(now time.Time, it Item) ([]Action, time.Time) {
	due := it.Key.Due()
	if due.IsZero() || now.Before(due) {
		return nil, due
	}
	return []Action{{
		Item: it, At: now.UTC().Truncate(time.Millisecond), Rotate: it.Key.State != key.PendingDeletion,
		Last: len(it.Aliases) < parts && len(it.Grants) < parts,
	}}, now
}

func remove(tx store.Tx, a *Action) error {
	for _, al := range a.Aliases {
		if err := tables.Aliases.Delete(tx, al.Account, al.Region, al.Name); err != nil {
			return err
		}
	}
	for _, g := range a.Grants {
		if err := tables.Grants.Delete(tx, g.Account, g.Region, g.Key, g.ID); err != nil {
			return err
		}
	}
	if !a.Last {
		return nil
	}
	return tables.Keys.Delete(tx, a.Key.Account, a.Key.Region, a.Key.ID)
}

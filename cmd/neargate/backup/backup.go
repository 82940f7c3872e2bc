// Package backup saves an installation in one file and brings it back: the state,
// and the ledger of what was used.
package backup

import (
	"context"
	"fmt"
	"io"

	"neargate/billing/ledger"
	"neargate/internal/bundle"
	"neargate/store/etcd"
)

// The parts of a backup.
const (
	statePart  = "state"
	ledgerPart = "ledger"
)

// stateHeader begins a state, of which backups once consisted.
var stateHeader = bundle.Plain{Header: "neargate archive 1\n", Name: statePart}

// Keeper is what is saved.
type Keeper struct {
	Store  *etcd.Store
	Ledger *ledger.Ledger
	Dir    string // where a backup is copied to before it is used
}

// Save writes a backup while everything goes on. The state is as it was at one
// moment; the ledger is read after it, so that usage which moves from one to the
// other meanwhile is in the backup, perhaps in both.
func (k Keeper) Save(ctx context.Context, w io.Writer) error {
	return bundle.Write(w,
		bundle.Part{Name: statePart, Write: func(w io.Writer) error { return k.Store.Backup(ctx, w) }},
		bundle.Part{Name: ledgerPart, Write: func(w io.Writer) error { return k.Ledger.Backup(ctx, w) }},
	)
}

// Load replaces the state by that of a backup, and adds the backup's usage to the
// ledger. What was used since the backup stays in the ledger. A backup that is not
// whole changes nothing. It may be loaded again when it fails midway.
func (k Keeper) Load(ctx context.Context, r io.Reader) error {
	b, err := bundle.Read(r, k.Dir, stateHeader)
	if err != nil {
		return err
	}
	defer b.Close()
	state, ok := b.Part(statePart)
	if !ok {
		return fmt.Errorf("%w: there is no state in it", bundle.ErrDamaged)
	}
	if _, err := k.Ledger.Drain(ctx, k.Store); err != nil {
		return err
	}
	if used, ok := b.Part(ledgerPart); ok {
		if err := k.Ledger.Restore(ctx, used); err != nil {
			return err
		}
	}
	return k.Store.Restore(ctx, state)
}

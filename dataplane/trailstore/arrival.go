package trailstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/trail"
)

// spaceArrival begins the keys of events in the order of arrival. It sorts after all
// accounts.
const spaceArrival = 0xfe

// arrivedBytes bounds the texts of the events that Arrived answers at a time.
const arrivedBytes = 4 << 20

func arrivalKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{spaceArrival}, seq) }

// lastArrival is the number of the event that came last, 0 for none.
func (s *Store) lastArrival() (seq uint64, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceArrival}})
	if err != nil {
		return 0, err
	}
	if it.Last() {
		seq = binary.BigEndian.Uint64(it.Key()[1:])
	}
	return seq, errors.Join(it.Error(), it.Close())
}

// Arrived reads events in the order in which they came, after a position, at most a
// number of them and of bytes; more reports that there are others behind them. Events
// that have been deleted meanwhile are left out.
func (s *Store) Arrived(ctx context.Context, after uint64, limit int) (out []trail.Arrival, more bool, err error) {
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: arrivalKey(after + 1), UpperBound: []byte{spaceArrival + 1}})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	bytes := 0
	for ok := it.First(); ok; ok = it.Next() {
		if len(out) == limit || bytes >= arrivedBytes {
			return out, true, nil
		}
		k, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		text, closer, err := s.db.Get(k)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		a := trail.Arrival{Position: binary.BigEndian.Uint64(it.Key()[1:])}
		bytes += len(text)
		err = errors.Join(json.Unmarshal(text, &a.Event), closer.Close())
		if err != nil {
			return nil, false, fmt.Errorf("trailstore: stored event: %w", err)
		}
		out = append(out, a)
	}
	return out, false, it.Error()
}

package ledger

import (
	"encoding/binary"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/billing"
)

// sum is what rows of one time and labels make together.
type sum struct{ amount, records int64 }

func (n sum) plus(m sum) sum { return sum{n.amount + m.amount, n.records + m.records} }

func (n sum) value() []byte {
	return binary.AppendVarint(binary.AppendVarint(nil, n.amount), n.records)
}

func readSum(value []byte) (sum, error) {
	n, err := varints(value, 2)
	if err != nil {
		return sum{}, err
	}
	return sum{n[0], n[1]}, nil
}

// sums are what a batch adds to the ledger's sums, by key.
type sums map[string]sum

func (s sums) add(level byte, id labelID, row billing.Row) {
	key := string(sumKey(level, row.At, id))
	s[key] = s[key].plus(sum{row.Amount, row.Records})
}

// write adds the sums to those that are there, which are not read for that: pebble
// adds them up when they are.
func (s sums) write(b *pebble.Batch) error {
	for key, n := range s {
		if err := b.Merge([]byte(key), n.value(), nil); err != nil {
			return err
		}
	}
	return nil
}

// merger adds up the values of a key.
type merger struct{ sum sum }

func mergeSums(_, value []byte) (pebble.ValueMerger, error) {
	m := &merger{}
	return m, m.MergeNewer(value)
}

// MergeNewer implements pebble.ValueMerger.
func (m *merger) MergeNewer(value []byte) error {
	n, err := readSum(value)
	m.sum = m.sum.plus(n)
	return err
}

// MergeOlder implements pebble.ValueMerger.
func (m *merger) MergeOlder(value []byte) error { return m.MergeNewer(value) }

// Finish implements pebble.ValueMerger.
func (m *merger) Finish(bool) ([]byte, io.Closer, error) { return m.sum.value(), nil, nil }

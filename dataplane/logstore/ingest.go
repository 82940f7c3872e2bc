package logstore

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/logs"
)

func ingestedKey(group uint64, stripe byte) []byte {
	return append(groupPrefix(kindIngested, group), stripe)
}

// ingest counts what is added to a group, as CloudWatch Logs counts it. The stripe
// is locked.
func (s *Store) ingest(b *pebble.Batch, group uint64, stripe byte, records []logs.Record) error {
	key, n := ingestedKey(group, stripe), uint64(0)
	v, c, err := s.db.Get(key)
	switch {
	case err == nil:
		n = getUint(v)
		err = c.Close()
	case errors.Is(err, pebble.ErrNotFound):
		err = nil
	}
	if err != nil {
		return err
	}
	for _, r := range records {
		n += uint64(logs.Size(len(r.Message)))
	}
	return b.Set(key, putUint(n), nil)
}

// Ingested is how many bytes were ever appended to a group, expired or not.
func (s *Store) Ingested(group uint64) (bytes int64, err error) {
	it, err := s.db.NewIter(bounds(groupPrefix(kindIngested, group)))
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		bytes += int64(getUint(it.Value()))
	}
	return bytes, it.Close()
}

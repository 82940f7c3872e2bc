package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/objects"
)

// List lists objects: the latest versions of keys that are no markers.
func (s *Store) List(bucket string, q objects.Query) (objects.Listing[objects.Version], error) {
	w := walk[objects.Version]{base: versionsOf(bucket), query: q, once: true, read: func(k, text []byte, key string) (objects.Version, string, bool, error) {
		v, err := decode(k, text)
		v.Latest = true
		return v, "", !v.Marker, err
	}}
	return w.page(s.db)
}

// Versions lists versions and markers, by key and the newest first.
func (s *Store) Versions(bucket string, q objects.Query) (objects.Listing[objects.Version], error) {
	w := walk[objects.Version]{base: versionsOf(bucket), query: q}
	seen := false
	last := ""
	if q.AfterVersion != "" {
		v, found, err := s.version(s.db, bucket, q.After, q.AfterVersion)
		if err != nil {
			return objects.Listing[objects.Version]{}, err
		}
		if found {
			seen, last = true, q.After
			w.start = append(versionKey(bucket, q.After, v.Order), 0)
		}
	}
	w.read = func(k, text []byte, key string) (objects.Version, string, bool, error) {
		v, err := decode(k, text)
		v.Latest = !seen || key != last
		seen, last = true, key
		return v, v.ID, true, err
	}
	return w.page(s.db)
}

// Uploads lists uploads in progress, by key and the oldest first.
func (s *Store) Uploads(bucket string, q objects.Query) (objects.Listing[objects.Upload], error) {
	w := walk[objects.Upload]{base: uploadsOf(bucket), query: q, read: func(k, text []byte, key string) (u objects.Upload, id string, emit bool, err error) {
		err = json.Unmarshal(text, &u)
		return u, u.ID, true, err
	}}
	if q.AfterVersion != "" {
		w.start = append(uploadKey(bucket, q.After, q.AfterVersion), 0)
	}
	return w.page(s.db)
}

// walk goes through a bucket's part of a key space in order.
type walk[T any] struct {
	base  []byte // key space and bucket
	query objects.Query
	start []byte // nil where the query's After says it
	once  bool   // only the first entry of a key counts
	// read decodes an entry and gives its id among those of its key; entries
	// that are not to be emitted are as if they were not there.
	read func(k, text []byte, key string) (item T, id string, emit bool, err error)
}

// page lists as the query says.
func (w *walk[T]) page(from pebble.Reader) (out objects.Listing[T], err error) {
	if w.query.Max <= 0 {
		return out, nil
	}
	lower := w.at(w.query.Prefix)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, it.Error(), it.Close()) }()
	for ok := it.SeekGE(w.first()); ok; {
		key, err := keyOf(it.Key(), len(w.base))
		if err != nil {
			return out, err
		}
		text, err := it.ValueAndErr()
		if err != nil {
			return out, err
		}
		item, id, emit, err := w.read(it.Key(), text, key)
		if err != nil {
			return out, err
		}
		if emit {
			if len(out.Items)+len(out.Prefixes) == w.query.Max {
				out.Truncated = true
				return out, nil
			}
			if group := w.group(key); group != "" {
				out.Prefixes = append(out.Prefixes, group)
				out.Last, out.LastVersion = group, ""
				ok = it.SeekGE(after(w.at(group)))
				continue
			}
			out.Items = append(out.Items, item)
			out.Last, out.LastVersion = key, id
		}
		ok = it.Next()
		if ok && w.once && bytes.HasPrefix(it.Key(), terminate(w.at(key))) {
			ok = it.SeekGE(w.past(key))
		}
	}
	return out, nil
}

// at is where keys with the prefix begin.
func (w *walk[T]) at(prefix string) []byte { return appendKey(bytes.Clone(w.base), prefix) }

// past is what follows all entries of a key.
func (w *walk[T]) past(key string) []byte { return after(terminate(w.at(key))) }

// first is where the page begins.
func (w *walk[T]) first() []byte {
	switch q := w.query; {
	case w.start != nil:
		return w.start
	case q.After == "":
		return w.at("")
	case w.group(q.After) == q.After:
		return after(w.at(q.After))
	default:
		return w.past(q.After)
	}
}

// group is the common prefix a key belongs to, "" for none.
func (w *walk[T]) group(key string) string {
	q := w.query
	rest, ok := strings.CutPrefix(key, q.Prefix)
	if !ok || q.Delimiter == "" {
		return ""
	}
	before, _, found := strings.Cut(rest, q.Delimiter)
	if !found {
		return ""
	}
	return q.Prefix + before + q.Delimiter
}

// keyOf is the object's key in an index key that has it after a number of bytes.
func keyOf(k []byte, skip int) (string, error) {
	var key strings.Builder
	for i := skip; i+1 < len(k); i++ {
		if k[i] != 0 {
			key.WriteByte(k[i])
			continue
		}
		i++
		switch k[i] {
		case 0xff:
			key.WriteByte(0)
		case 1:
			return key.String(), nil
		}
	}
	return "", fmt.Errorf("objects: an index key %q", k)
}

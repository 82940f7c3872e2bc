package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/internal/checksum"
	"neargate/resource/objects"
)

const bucket = "0123456789abcdef"

// clock is a time that tests set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func open(t testing.TB, dir string) (*Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler), Key: [32]byte{1}, Now: c.Now, IDs: arn.NewSource(rand.Reader)})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func opened(t testing.TB) (*Store, *clock) {
	s, c := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

func stage(t testing.TB, s *Store, data []byte) objects.Staged {
	t.Helper()
	st, err := s.Stage(t.Context(), bytes.NewReader(data), nil, checksum.CRC32)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func put(t testing.TB, s *Store, versioning, key string, data []byte) objects.Version {
	t.Helper()
	v, err := s.Put(objects.Write{Bucket: bucket, Versioning: versioning, Key: key}, stage(t, s, data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func read(t testing.TB, s *Store, key, id string) []byte {
	t.Helper()
	c, err := s.Open(bucket, key, id)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c.Range(0, c.Version().Size))
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func files(t testing.TB, s *Store) int {
	t.Helper()
	n := 0
	if err := filepath.WalkDir(s.blobs(), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestContentOfEverySize(t *testing.T) {
	s, _ := opened(t)
	for _, n := range []int{0, 1, inlineMax - 1, inlineMax, inlineMax + 1, copySize, inlineMax + copySize, inlineMax + 1 + copySize, 1 << 20} {
		data := random(n)
		v := put(t, s, "", "k", data)
		sum := md5.Sum(data)
		if v.Size != int64(n) || v.ETag != hex.EncodeToString(sum[:]) || !bytes.Equal(read(t, s, "k", ""), data) {
			t.Errorf("%d bytes: %+v", n, v)
		}
	}
	if n := files(t, s); n != 1 {
		t.Errorf("%d files for one object", n)
	}
	if _, err := s.Delete(bucket, "", objects.Doomed{Key: "k"}); err != nil || files(t, s) != 0 {
		t.Errorf("%v, %d files", err, files(t, s))
	}
}

// failing breaks off after some bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	n := min(len(p), f.left)
	f.left -= n
	return n, nil
}

func TestBrokenUploadLeavesNothing(t *testing.T) {
	s, _ := opened(t)
	for _, n := range []int{0, 10, inlineMax + 1, 300 << 10} {
		for _, err := range []error{io.ErrUnexpectedEOF, errors.New("wrong hash")} {
			if _, got := s.Stage(t.Context(), &failing{n, err}, nil); !errors.Is(got, err) {
				t.Errorf("%d bytes: %v", n, got)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Stage(ctx, bytes.NewReader(random(1<<20)), nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d files", n)
	}
}

func TestReaderKeepsWhatIsDeleted(t *testing.T) {
	s, _ := opened(t)
	data := random(100 << 10)
	put(t, s, "", "k", data)
	c, err := s.Open(bucket, "k", "")
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "", "k", []byte("new"))
	if b, err := io.ReadAll(c.Range(1000, 90<<10)); err != nil || !bytes.Equal(b, data[1000:1000+90<<10]) {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil || files(t, s) != 0 {
		t.Errorf("%v, %d files", err, files(t, s))
	}
}

// model is what a bucket must hold, kept the plain way: versions of each key,
// oldest first.
type model map[string][]objects.Version

func (m model) removeNull(key string) {
	m[key] = slices.DeleteFunc(m[key], func(v objects.Version) bool { return v.ID == objects.Null })
}

func (m model) keys() []string {
	var keys []string
	for k, vs := range m {
		if len(vs) > 0 {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// list is every item of a listing, read in pages, and its prefixes.
func list[T any](t *testing.T, page func(objects.Query) (objects.Listing[T], error), q objects.Query, show func(T) string) (out []string) {
	t.Helper()
	for range 10000 {
		l, err := page(q)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(l.Items) + len(l.Prefixes); n > q.Max || l.Truncated && n != q.Max {
			t.Fatalf("a page of %d, truncated %v", n, l.Truncated)
		}
		for _, v := range l.Items {
			out = append(out, show(v))
		}
		out = append(out, l.Prefixes...)
		if !l.Truncated {
			slices.Sort(out)
			return out
		}
		q.After, q.AfterVersion = l.Last, l.LastVersion
	}
	t.Fatal("a listing without end")
	return nil
}

func (m model) list(q objects.Query, versions bool) (out []string) {
	seen := map[string]bool{}
	for _, k := range m.keys() {
		vs := m[k]
		latest := vs[len(vs)-1]
		if !strings.HasPrefix(k, q.Prefix) || !versions && latest.Marker {
			continue
		}
		if before, _, found := strings.Cut(k[len(q.Prefix):], q.Delimiter); found && q.Delimiter != "" {
			if group := q.Prefix + before + q.Delimiter; !seen[group] {
				seen[group] = true
				out = append(out, group)
			}
			continue
		}
		if !versions {
			out = append(out, k+latest.ID)
			continue
		}
		for _, v := range vs {
			out = append(out, fmt.Sprint(k, v.ID, v.Marker, v.ID == latest.ID))
		}
	}
	slices.Sort(out)
	return out
}

// TestModel compares random writes, deletions and listings with a plain model.
func TestModel(t *testing.T) {
	s, c := opened(t)
	r := mathrand.New(mathrand.NewSource(1))
	keys := []string{"a", "a/", "a/b", "a/b/c", "a\x00", "a\x00b", "a\x01", "b//", "b//c", "ab", "z/é/x", "z/é/y", "z"}
	m := model{}
	states := []string{"", "", objects.Enabled, objects.Suspended, objects.Enabled}
	for step := range 1500 {
		versioning := states[step/300]
		key := keys[r.Intn(len(keys))]
		if r.Intn(3) > 0 {
			c.now = c.now.Add(time.Duration(r.Intn(3)-1) * time.Second) // also backwards
		}
		switch n := r.Intn(10); {
		case n < 5:
			v := put(t, s, versioning, key, random(r.Intn(2)*(40<<10)))
			if versioning != objects.Enabled {
				m.removeNull(key)
			}
			m[key] = append(m[key], v)
		case n < 7:
			out, err := s.Delete(bucket, versioning, objects.Doomed{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			if versioning != objects.Enabled {
				m.removeNull(key)
			}
			if versioning != "" {
				m[key] = append(m[key], objects.Version{Key: key, ID: out[0].ID, Marker: true})
			}
		case len(m[key]) > 0:
			i := r.Intn(len(m[key]))
			if _, err := s.Delete(bucket, versioning, objects.Doomed{Key: key, ID: m[key][i].ID}); err != nil {
				t.Fatal(err)
			}
			m[key] = slices.Delete(m[key], i, i+1)
		}
		if step%20 != 0 {
			continue
		}
		prefixes, delimiters := []string{"", "a", "a/", "z/", "a\x00", "b//", "none"}, []string{"", "/", "b", "é/"}
		q := objects.Query{Prefix: prefixes[r.Intn(len(prefixes))], Delimiter: delimiters[r.Intn(len(delimiters))], Max: 1 + r.Intn(5)}
		got := list(t, func(q objects.Query) (objects.Listing[objects.Version], error) { return s.List(bucket, q) }, q,
			func(v objects.Version) string { return v.Key + v.ID })
		if want := m.list(q, false); !slices.Equal(got, want) {
			t.Fatalf("step %d, %+v:\n%q, want\n%q", step, q, got, want)
		}
		got = list(t, func(q objects.Query) (objects.Listing[objects.Version], error) { return s.Versions(bucket, q) }, q,
			func(v objects.Version) string { return fmt.Sprint(v.Key, v.ID, v.Marker, v.Latest) })
		if want := m.list(q, true); !slices.Equal(got, want) {
			t.Fatalf("step %d, versions %+v:\n%q, want\n%q", step, q, got, want)
		}
	}
	n := 0
	for _, key := range keys {
		for i, v := range m[key] {
			got, err := s.Find(bucket, key, v.ID)
			if err != nil || got.ETag != v.ETag || got.Latest != (i == len(m[key])-1) {
				t.Errorf("%q %s: %+v %v", key, v.ID, got, err)
			}
			if v.Size > inlineMax {
				n++
			}
		}
	}
	if got := files(t, s); got != n {
		t.Errorf("%d files, want %d", got, n)
	}
	if err := s.Drop(bucket, func() error { t.Error("forgotten"); return nil }); !errors.Is(err, objects.ErrNotEmpty) {
		t.Error(err)
	}
}

func TestConditions(t *testing.T) {
	s, _ := opened(t)
	write := func(c objects.Condition) error {
		_, err := s.Put(objects.Write{Bucket: bucket, Key: "k", If: c}, stage(t, s, random(40<<10)))
		return err
	}
	if err := write(objects.Condition{IfMatch: "x"}); !errors.Is(err, objects.ErrNoKey) {
		t.Error(err)
	}
	if err := write(objects.Condition{IfNoneMatch: true}); err != nil {
		t.Error(err)
	}
	if err := write(objects.Condition{IfNoneMatch: true}); !errors.Is(err, objects.ErrCondition) {
		t.Error(err)
	}
	v, err := s.Find(bucket, "k", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := write(objects.Condition{IfMatch: v.ETag}); err != nil {
		t.Error(err)
	}
	if err := write(objects.Condition{IfMatch: v.ETag}); !errors.Is(err, objects.ErrCondition) {
		t.Error(err)
	}
	if n := files(t, s); n != 1 {
		t.Errorf("%d files", n)
	}
	if out, err := s.Delete(bucket, "", objects.Doomed{Key: "k", If: objects.Condition{IfMatch: "x"}}); err != nil || !errors.Is(out[0].Err, objects.ErrCondition) {
		t.Error(out, err)
	}
}

func TestDrop(t *testing.T) {
	s, _ := opened(t)
	u, err := s.Begin(bucket, objects.Upload{Key: "k", Checksum: objects.Checksum{Algorithm: checksum.CRC32}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart(bucket, "k", u.ID, objects.Part{Number: 1}, stage(t, s, random(40<<10))); err != nil {
		t.Fatal(err)
	}
	st := stage(t, s, random(40<<10))
	broken := errors.New("no record")
	if err := s.Drop(bucket, func() error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := s.Drop(bucket, func() error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(objects.Write{Bucket: bucket, Key: "k"}, st); !errors.Is(err, objects.ErrNoBucket) {
		t.Error(err)
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d files", n)
	}
}

func TestContentIsEncrypted(t *testing.T) {
	s, _ := opened(t)
	secret := []byte(strings.Repeat("a secret that no file may hold. ", 4))
	put(t, s, "", "small", secret)
	put(t, s, "", "large", bytes.Repeat(secret, 1000))
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(s.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, secret[:16]) {
			t.Errorf("%s holds it", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c, err := s.Open(bucket, "large", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, offset := range []int64{0, 1, 15, 16, 17, 100000} {
		if b, err := io.ReadAll(c.Range(offset, 50)); err != nil || !bytes.Equal(b, bytes.Repeat(secret, 1000)[offset:offset+50]) {
			t.Errorf("from %d on: %q %v", offset, b, err)
		}
	}
}

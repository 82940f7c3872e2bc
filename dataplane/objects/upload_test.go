package objects

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"neargate/internal/checksum"
	"neargate/resource/objects"
)

// parts puts content into an upload as its parts, and says how to complete it.
func parts(t *testing.T, s *Store, a checksum.Algorithm, kind string, contents ...[]byte) (objects.Upload, objects.Finish) {
	t.Helper()
	u, err := s.Begin(bucket, objects.Upload{Key: "k", Checksum: objects.Checksum{Algorithm: a, Type: kind}})
	if err != nil {
		t.Fatal(err)
	}
	f := objects.Finish{Bucket: bucket, Key: "k", Upload: u.ID}
	for i, data := range contents {
		st, err := s.Stage(t.Context(), bytes.NewReader(data), nil, a)
		if err != nil {
			t.Fatal(err)
		}
		p := objects.Part{Number: 2*i + 1, Checksum: objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a])}}
		p, err = s.PutPart(bucket, "k", u.ID, p, st)
		if err != nil {
			t.Fatal(err)
		}
		f.Parts = append(f.Parts, p)
	}
	return u, f
}

func TestUpload(t *testing.T) {
	s, _ := opened(t)
	contents := [][]byte{random(objects.MinPart), random(objects.MinPart + 3), random(10)}
	all := bytes.Join(contents, nil)
	for _, a := range []checksum.Algorithm{checksum.CRC32, checksum.CRC32C, checksum.CRC64NVME, checksum.SHA1, checksum.SHA256} {
		kind := objects.Composite
		if a == checksum.CRC64NVME {
			kind = objects.FullObject
		}
		_, f := parts(t, s, a, kind, contents...)
		v, err := s.Complete(f)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.Complete(f); err != nil || again.ID != v.ID || again.Order != v.Order {
			t.Errorf("completed again: %+v %v", again, err)
		}
		if v.Size != int64(len(all)) || v.ETag[32:] != "-3" || !bytes.Equal(read(t, s, "k", ""), all) {
			t.Errorf("%+v", v)
		}
		whole := a.New()
		whole.Write(all)
		if got := v.Checksum.Value; kind == objects.FullObject && got != checksum.Encode(whole.Sum(nil)) || kind == objects.Composite && got[len(got)-2:] != "-3" {
			t.Errorf("%s %s", a, got)
		}
	}
	c, err := s.Open(bucket, "k", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int64{{0, 1}, {objects.MinPart - 1, 2}, {objects.MinPart, objects.MinPart + 4}, {int64(len(all)) - 1, 1}, {5, int64(len(all)) - 5}} {
		if b, err := io.ReadAll(c.Range(r[0], r[1])); err != nil || !bytes.Equal(b, all[r[0]:r[0]+r[1]]) {
			t.Errorf("range %v: %d bytes, %v", r, len(b), err)
		}
	}
	if _, err := s.Delete(bucket, "", objects.Doomed{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c.Range(0, int64(len(all)))); err != nil || !bytes.Equal(b, all) {
		t.Errorf("what is read was deleted: %d bytes, %v", len(b), err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d files", n)
	}
}

func TestUploadRefusals(t *testing.T) {
	s, _ := opened(t)
	large, small := random(objects.MinPart), random(10)
	u, f := parts(t, s, checksum.CRC32, objects.Composite, large, small, large)
	tests := []struct {
		name   string
		change func(*objects.Finish)
		err    error
	}{
		{"no such upload", func(f *objects.Finish) { f.Upload = u.ID[1:] + "0" }, objects.ErrNoUpload},
		{"another key", func(f *objects.Finish) { f.Key = "x" }, objects.ErrNoUpload},
		{"order", func(f *objects.Finish) { slices.Reverse(f.Parts) }, objects.ErrOrder},
		{"twice", func(f *objects.Finish) { f.Parts = []objects.Part{f.Parts[0], f.Parts[0]} }, objects.ErrOrder},
		{"small", func(*objects.Finish) {}, objects.ErrSmall},
		{"no such part", func(f *objects.Finish) { f.Parts[1].Number = 2 }, objects.ErrPart},
		{"another part", func(f *objects.Finish) { f.Parts[1].ETag = f.Parts[0].ETag }, objects.ErrPart},
		{"another checksum", func(f *objects.Finish) { f.Parts[1].Checksum.Value = "AAAAAA==" }, objects.ErrPart},
		{"size", func(f *objects.Finish) { f.Parts, f.Size = f.Parts[:1], new(int64) }, objects.ErrSize},
		{"whole checksum", func(f *objects.Finish) {
			f.Parts, f.Checksum = f.Parts[:1], objects.Checksum{Algorithm: checksum.CRC32, Value: "AAAAAA==-1", Type: objects.Composite}
		}, objects.ErrChecksum},
		{"condition", func(f *objects.Finish) { f.Parts, f.If.IfMatch = f.Parts[:1], "x" }, objects.ErrNoKey},
	}
	for _, tt := range tests {
		g := f
		g.Parts = slices.Clone(f.Parts)
		tt.change(&g)
		if _, err := s.Complete(g); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// Unused parts go; the last may be small.
	f.Parts = f.Parts[:2]
	if _, err := s.Complete(f); err != nil {
		t.Fatal(err)
	}
	if n := files(t, s); n != 1 { // the second is in the index
		t.Errorf("%d files", n)
	}
}

func TestPartReplaced(t *testing.T) {
	s, _ := opened(t)
	u, _ := parts(t, s, checksum.CRC32, objects.Composite, random(40<<10))
	data := random(50 << 10)
	st := stage(t, s, data)
	p, err := s.PutPart(bucket, "k", u.ID, objects.Part{Number: 1, Checksum: objects.Checksum{Algorithm: checksum.CRC32, Value: checksum.Encode(st.Sums[checksum.CRC32])}}, st)
	if err != nil || files(t, s) != 1 {
		t.Fatal(err, files(t, s))
	}
	if _, err := s.Complete(objects.Finish{Bucket: bucket, Key: "k", Upload: u.ID, Parts: []objects.Part{p}}); err != nil || !bytes.Equal(read(t, s, "k", ""), data) {
		t.Fatal(err)
	}
	// Aborted, nothing stays; afterwards it is unknown.
	u, _ = parts(t, s, checksum.CRC32, objects.Composite, random(40<<10), random(10))
	if err := s.Abort(bucket, "k", u.ID); err != nil || files(t, s) != 1 {
		t.Error(err, files(t, s))
	}
	if err := s.Abort(bucket, "k", u.ID); !errors.Is(err, objects.ErrNoUpload) {
		t.Error(err)
	}
	if _, err := s.PutPart(bucket, "k", u.ID, objects.Part{Number: 1}, stage(t, s, random(40<<10))); !errors.Is(err, objects.ErrNoUpload) || files(t, s) != 1 {
		t.Error(err, files(t, s))
	}
}

func TestLifecycle(t *testing.T) {
	s, c := opened(t)
	day := 24 * time.Hour
	logs, yes := "logs/", true
	b := objects.Bucket{ID: bucket, Rules: []objects.Rule{
		{ID: "logs", Filter: objects.Filter{Prefix: &logs}, Expire: &objects.Expiration{Days: 3}},
		{ID: "old", NoncurrentDays: 2, Keep: 1, AbortDays: 1},
		{ID: "markers", Expire: &objects.Expiration{Markers: &yes}},
		{ID: "off", Disabled: true, Expire: &objects.Expiration{Days: 1}},
	}}
	sweep := func() {
		t.Helper()
		if err := s.expire(t.Context(), &b, c.now); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "", "logs/a", random(40<<10))
	put(t, s, "", "keep", random(10))
	u, _ := parts(t, s, checksum.CRC32, objects.Composite, random(40<<10))
	c.now = c.now.Add(day) // the next noon: half a day before its days are over
	sweep()
	if _, err := s.Upload(bucket, "k", u.ID); err != nil {
		t.Error(err)
	}
	c.now = c.now.Add(day)
	sweep()
	if _, err := s.Upload(bucket, "k", u.ID); !errors.Is(err, objects.ErrNoUpload) {
		t.Error(err)
	}
	if _, err := s.Find(bucket, "logs/a", ""); err != nil {
		t.Error(err)
	}
	c.now = c.now.Add(2 * day)
	sweep()
	if _, err := s.Find(bucket, "logs/a", ""); !errors.Is(err, objects.ErrNoKey) {
		t.Error(err)
	}
	// With versions a marker takes the object's place, and goes after them.
	b.Versioning = objects.Enabled
	for range 3 {
		put(t, s, b.Versioning, "logs/b", random(10))
	}
	count := func(want int) {
		t.Helper()
		l, err := s.Versions(bucket, objects.Query{Prefix: "logs/b", Max: 100})
		if err != nil || len(l.Items) != want {
			t.Errorf("%d versions, want %d: %+v %v", len(l.Items), want, l.Items, err)
		}
	}
	c.now = c.now.Add(4 * day)
	sweep() // the oldest goes, one noncurrent stays, the latest is hidden
	count(3)
	c.now = c.now.Add(3 * day)
	sweep()
	count(2)
	b.Rules[1].Keep = 0
	sweep()
	count(1)
	sweep()
	count(0)
	if _, err := s.Find(bucket, "keep", ""); err != nil || files(t, s) != 0 {
		t.Error(err, files(t, s))
	}
}

package trails

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

// someKeys are keys of regions.
func someKeys(t *testing.T, regions []string) (keys []trail.Key) {
	t.Helper()
	w := newWorld(t)
	for _, r := range regions {
		if _, _, err := (Keys{Store: w.store}).key(t.Context(), r, "", start); err != nil {
			t.Fatal(err)
		}
	}
	return w.keys(t)
}

func (w *world) keys(t *testing.T) (keys []trail.Key) {
	t.Helper()
	err := w.store.View(t.Context(), func(tx store.Tx) (err error) {
		keys, err = store.Collect(tables.Keys.List(tx))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (w *world) copyKeys(t *testing.T, keys []trail.Key) {
	t.Helper()
	err := w.store.Update(t.Context(), func(tx store.Tx) error {
		for i := range keys {
			if err := tables.Keys.Put(tx, &keys[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// validate checks the chains of digest files in a bucket as the AWS CLI does: that each
// digest file is signed and tells of the one before it, and that all of them together tell
// of each file of events once, as it is. Without an error it returns the digest files.
func (w *world) validate(t *testing.T, bucket string, chains int) (all []digestFile) {
	t.Helper()
	public := map[string]*rsa.PublicKey{}
	for _, k := range w.keys(t) {
		key, err := x509.ParsePKCS1PublicKey(k.Public)
		if err != nil {
			t.Fatal(err)
		}
		public[k.Region+" "+k.Fingerprint] = key
	}
	told := map[string]bool{}
	begun := 0
	for _, key := range slices.Sorted(maps.Keys(w.files)) {
		if !strings.HasPrefix(key, bucket) || !strings.Contains(key, "-Digest/") {
			continue
		}
		text := w.files[key]
		var f digestFile
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		all = append(all, f)
		before := "null"
		if f.LastKey == nil {
			begun++
		} else {
			last := *f.LastBucket + "/" + *f.LastKey
			before = *f.LastSignature
			if w.meta[last]["signature"] != before || hash(w.files[last]) != *f.LastHash || *f.LastHashing != "SHA-256" {
				t.Errorf("%s does not tell of %s as it is", key, last)
			}
		}
		signature, err := hex.DecodeString(w.meta[key]["signature"])
		if err != nil {
			t.Fatal(err)
		}
		region := strings.Split(f.Key[strings.Index(f.Key, "-Digest/"):], "/")[1]
		sum := sha256.Sum256([]byte(f.End + "\n" + key + "\n" + hash(text) + "\n" + before))
		if k := public[region+" "+f.Fingerprint]; k == nil || f.Bucket+"/"+f.Key != key || w.meta[key]["signature-algorithm"] != "SHA256withRSA" || rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) != nil {
			t.Errorf("%s is not signed", key)
		}
		if f.End <= f.Start {
			t.Errorf("%s is from %s to %s", key, f.Start, f.End)
		}
		for _, l := range f.Files {
			at := l.Bucket + "/" + l.Key
			if hash(w.files[at]) != l.Hash || l.Hashing != "SHA-256" || told[at] || !strings.Contains(at, "/CloudTrail/"+region+"/") || l.Oldest > l.Newest || *f.Oldest > l.Oldest || *f.Newest < l.Newest {
				t.Errorf("%s tells %+v", key, l)
			}
			told[at] = true
		}
	}
	for key := range w.files {
		if strings.HasPrefix(key, bucket) && !strings.Contains(key, "-Digest/") && !told[key] {
			t.Errorf("no digest file tells of %s", key)
		}
	}
	if begun != chains {
		t.Errorf("%s: %d chains begin, want %d", bucket, begun, chains)
	}
	return all
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestDigests delivers a digest file an hour, also where nothing happened, a last one when
// the trail stops, and begins again with it.
func TestDigests(t *testing.T) {
	tr := logging("one")
	tr.Validate, tr.Prefix = true, "p"
	w := newWorld(t, tr)
	pass := func(minutes int) {
		t.Helper()
		w.now = w.now.Add(time.Duration(minutes) * time.Minute)
		if err := w.deliverer().Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	counts := func() (out []string) {
		for _, f := range w.validate(t, "one/", 2) {
			out = append(out, fmt.Sprint(f.Start[11:16], "-", f.End[11:16], " ", len(f.Files)))
		}
		return out
	}
	w.happen(t, trail.Event{Region: "us-east-1", Time: start.Add(2 * time.Second)}, trail.Event{Region: "us-east-1", Time: start})
	pass(0)
	w.happen(t, trail.Event{Region: "us-east-1", Time: start.Add(time.Minute)})
	pass(1)
	pass(58)
	if len(w.files) != 2 {
		t.Errorf("before the hour: %d files", len(w.files))
	}
	pass(1)
	pass(60)
	w.happen(t, trail.Event{Region: "us-east-1", Time: start})
	pass(30)
	tr.Stop(w.now)
	w.put(t, &tr)
	pass(1)
	tr.Start(w.now)
	w.put(t, &tr)
	pass(1)
	w.happen(t, trail.Event{Region: "us-east-1", Time: w.now})
	pass(1)
	tr.Validate = false
	w.put(t, &tr)
	pass(1)
	want := "[12:30-13:30 2 13:30-14:30 0 14:30-15:01 1 15:02-15:04 1]"
	if got := fmt.Sprint(counts()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	name := regexp.MustCompile(`^one/p/AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/03/01/123456789012_CloudTrail-Digest_us-east-1_one_us-east-1_20260301T133000Z\.json\.gz$`)
	if !slices.ContainsFunc(slices.Collect(maps.Keys(w.files)), name.MatchString) {
		t.Error(slices.Collect(maps.Keys(w.files)))
	}
	if d := w.delivery(t, "one"); d.DigestError != "" || !d.DigestAt.Equal(w.now) {
		t.Errorf("%+v", d)
	}
	before := len(w.files)
	w.happen(t, trail.Event{Region: "us-east-1", Time: w.now})
	pass(120)
	if len(w.files) != before+1 {
		t.Errorf("%d files after %d, though no digest files are asked for", len(w.files), before)
	}
}

// TestDigestRefused delivers late what a bucket refused.
func TestDigestRefused(t *testing.T) {
	tr := logging("one")
	tr.Validate = true
	w := newWorld(t, tr)
	deliver := func() {
		t.Helper()
		if err := w.deliverer().Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.happen(t, trail.Event{Region: "us-east-1", Time: start})
	deliver()
	w.now = w.now.Add(time.Hour)
	w.fail = func() error { return Refused("AccessDenied") }
	deliver()
	if d := w.delivery(t, "one"); d.DigestError != "AccessDenied" || !d.DigestAt.IsZero() {
		t.Errorf("%+v", d)
	}
	w.fail = func() error { return nil }
	w.happen(t, trail.Event{Region: "us-east-1", Time: start})
	w.now = w.now.Add(150 * time.Minute)
	deliver()
	deliver()
	all := w.validate(t, "one/", 1)
	if len(all) != 2 || len(all[0].Files) != 1 || len(all[1].Files) != 1 || all[1].Start != "2026-03-01T13:30:00Z" || all[1].End != "2026-03-01T15:30:00Z" {
		t.Errorf("%+v", all)
	}
	if d := w.delivery(t, "one"); d.DigestError != "" || d.DigestAt.IsZero() {
		t.Errorf("%+v", d)
	}
}

// TestKeys takes another key before one is too old, and one that cannot be opened never.
func TestKeys(t *testing.T) {
	w := newWorld(t)
	k := Keys{Store: w.store, Secret: [32]byte{1}}
	get := func(k Keys, fingerprint string, after time.Duration) string {
		t.Helper()
		_, got, err := k.key(t.Context(), "us-east-1", fingerprint, start.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := get(k, "", 0)
	if again := get(k, "", keyLife-2*keySpare); again != first || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(first) {
		t.Error(first, again)
	}
	second := get(k, "", keyLife)
	if second == first || get(k, first, keyLife) != first || get(k, "", keyLife) != second {
		t.Error(first, second)
	}
	if third := get(Keys{Store: w.store}, second, keyLife); third == first || third == second {
		t.Error(third)
	}
}

package trails

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

const (
	// digestEvery is how often a digest file tells of the files delivered since the last.
	digestEvery = time.Hour
	// maxFiles is how many files may wait for a digest file that cannot be delivered. Then
	// the chain is broken, and another begins.
	maxFiles = 3000
	// algorithm signs digest files, and hashing makes hashes of files.
	algorithm, hashing = "SHA256withRSA", "SHA-256"
)

// digestFile is what is in a digest file.
// Source: AWS CloudTrail User Guide, "CloudTrail digest file structure".
type digestFile struct {
	AccountID     string       `json:"awsAccountId"`
	Start         string       `json:"digestStartTime"`
	End           string       `json:"digestEndTime"`
	Bucket        string       `json:"digestS3Bucket"`
	Key           string       `json:"digestS3Object"`
	Fingerprint   string       `json:"digestPublicKeyFingerprint"`
	Algorithm     string       `json:"digestSignatureAlgorithm"`
	Newest        *string      `json:"newestEventTime"`
	Oldest        *string      `json:"oldestEventTime"`
	LastBucket    *string      `json:"previousDigestS3Bucket"`
	LastKey       *string      `json:"previousDigestS3Object"`
	LastHash      *string      `json:"previousDigestHashValue"`
	LastHashing   *string      `json:"previousDigestHashAlgorithm"`
	LastSignature *string      `json:"previousDigestSignature"`
	Files         []digestItem `json:"logFiles"`
}

// digestItem is what it says of a file of events.
type digestItem struct {
	Bucket  string `json:"s3Bucket"`
	Key     string `json:"s3Object"`
	Hash    string `json:"hashValue"`
	Hashing string `json:"hashAlgorithm"`
	Newest  string `json:"newestEventTime"`
	Oldest  string `json:"oldestEventTime"`
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// content is the file that ends what is pending in a chain.
func content(c *trail.Chain) ([]byte, error) {
	p := c.Pending
	f := digestFile{AccountID: c.Account, Start: stamp(c.Since), End: stamp(p.End), Bucket: p.Bucket, Key: p.Key,
		Fingerprint: p.Fingerprint, Algorithm: algorithm, Files: []digestItem{}}
	if last := c.Previous; last != nil {
		f.LastBucket, f.LastKey, f.LastHash, f.LastHashing, f.LastSignature = &last.Bucket, &last.Key, &last.Hash, new(hashing), &last.Signature
	}
	for _, file := range c.Files[:p.Files] {
		i := digestItem{file.Bucket, file.Key, file.Hash, hashing, stamp(file.Newest), stamp(file.Oldest)}
		if f.Newest == nil || *f.Newest < i.Newest {
			f.Newest = &i.Newest
		}
		if f.Oldest == nil || i.Oldest < *f.Oldest {
			f.Oldest = &i.Oldest
		}
		f.Files = append(f.Files, i)
	}
	return json.Marshal(f)
}

// delivered notes files that have been delivered at a time in the chains of their regions.
func delivered(tx store.Tx, t *trail.Trail, at time.Time, files map[string]trail.LogFile) error {
	for region, f := range files {
		c, ok, err := tables.Chains.Find(tx, t.Account, t.Region, t.Slot(), region)
		if err != nil {
			return err
		}
		if !ok || c.Trail != t.ID || len(c.Files) >= maxFiles {
			c = newChain(t, region, at)
		}
		c.Files = append(c.Files, f)
		if err := tables.Chains.Put(tx, &c); err != nil {
			return err
		}
	}
	return nil
}

func newChain(t *trail.Trail, region string, since time.Time) trail.Chain {
	return trail.Chain{Account: t.Account, Home: t.Region, Name: t.Slot(), Region: region, Trail: t.ID, Since: since.UTC().Truncate(time.Second)}
}

// digests delivers the digest files of a trail that are due. Idle says that nothing was
// left to deliver. A chain ends with its last file when the trail stops, or asks for no
// more.
func (d *Deliverer) digests(ctx context.Context, t *trail.Trail, idle bool) error {
	now := d.Now().UTC().Truncate(time.Second)
	var chains []trail.Chain
	err := d.Store.View(ctx, func(tx store.Tx) (err error) {
		chains, err = store.Collect(tables.Chains.List(tx, t.Account, t.Region, t.Slot()))
		return err
	})
	if err != nil {
		return err
	}
	home := false
	for i := range chains {
		c := &chains[i]
		if c.Trail != t.ID {
			continue
		}
		home = home || c.Region == t.Region
		last := !t.Validate || !t.Logging && idle && now.After(t.StoppedAt.Add(trail.Grace))
		if err := d.digest(ctx, t, c, now, last); err != nil {
			return err
		}
	}
	if !home && t.Validate && t.Logging {
		return d.put(ctx, t, new(newChain(t, t.Region, now)))
	}
	return nil
}

// digest delivers the digest file of a chain, if one is due.
func (d *Deliverer) digest(ctx context.Context, t *trail.Trail, c *trail.Chain, now time.Time, last bool) error {
	p := trail.Digest{End: c.Since.Add(now.Sub(c.Since).Truncate(digestEvery)), Files: len(c.Files)}
	switch {
	case c.Pending != nil:
		p, last = *c.Pending, false
	case last:
		p.End = now
	}
	if !p.End.After(c.Since) {
		return nil
	}
	key, fingerprint, err := d.Keys.key(ctx, c.Region, p.Fingerprint, now)
	if err != nil {
		return err
	}
	p.Fingerprint, p.Bucket, p.Key = fingerprint, t.Bucket, t.DigestKey(c.Region, p.End)
	c.Pending = &p
	if err := d.put(ctx, t, c); err != nil {
		return err
	}
	text, err := content(c)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	p.Hash = hex.EncodeToString(sum[:])
	before := "null"
	if c.Previous != nil {
		before = c.Previous.Signature
	}
	if p.Signature, err = sign(key, strings.Join([]string{stamp(p.End), p.Bucket + "/" + p.Key, p.Hash, before}, "\n")); err != nil {
		return err
	}
	err = d.Buckets.Put(ctx, t, File{Bucket: p.Bucket, Key: p.Key, KMSKey: t.Key, Body: compressed(text),
		Metadata: map[string]string{"signature": p.Signature, "signature-algorithm": algorithm}})
	refused, ok := errors.AsType[Refused](err)
	if err != nil && !ok {
		return err
	}
	return d.Store.Update(ctx, func(tx store.Tx) error {
		at, there, err := d.load(tx, t, trail.Lane{})
		if err != nil || !there {
			return err
		}
		if at.DigestError = string(refused); ok {
			return d.keep(tx, t, at)
		}
		at.DigestAt = now
		if err := d.keep(tx, t, at); err != nil {
			return err
		}
		if last {
			return tables.Chains.Delete(tx, c.Account, c.Home, c.Name, c.Region)
		}
		c.Previous, c.Since, c.Files, c.Pending = &p, p.End, c.Files[p.Files:], nil
		return tables.Chains.Put(tx, c)
	})
}

// put writes a chain down, unless its trail has been deleted.
func (d *Deliverer) put(ctx context.Context, t *trail.Trail, c *trail.Chain) error {
	return d.Store.Update(ctx, func(tx store.Tx) error {
		if _, there, err := d.load(tx, t, trail.Lane{}); err != nil || !there {
			return err
		}
		return tables.Chains.Put(tx, c)
	})
}

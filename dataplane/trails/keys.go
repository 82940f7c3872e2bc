package trails

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"time"

	"neargate/internal/seal"
	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

const (
	keyBits = 2048
	// keyLife is how long a key signs, and keySpare how long before its end the next one
	// is taken.
	keyLife  = 90 * 24 * time.Hour
	keySpare = 24 * time.Hour
)

// Keys signs digest files with keys of their regions, which it makes when there is none
// and once they are old. Private keys are in the store, sealed.
type Keys struct {
	Store  store.Store
	Secret [32]byte // seals private keys
}

// key finds the key of a region with a fingerprint, or where that is "" or the key is not
// to be had, the one that signs now.
func (k Keys) key(ctx context.Context, region, fingerprint string, now time.Time) (*rsa.PrivateKey, string, error) {
	var all []trail.Key
	err := k.Store.View(ctx, func(tx store.Tx) (err error) {
		all, err = store.Collect(tables.Keys.List(tx, region))
		return err
	})
	if err != nil {
		return nil, "", err
	}
	var last *trail.Key
	for i := range all {
		own := &all[i]
		if own.Fingerprint == fingerprint {
			if key, err := k.open(own); err == nil {
				return key, fingerprint, nil
			}
		}
		if now.Add(keySpare).Before(own.Until) && (last == nil || last.From.Before(own.From)) {
			last = own
		}
	}
	if last != nil {
		key, err := k.open(last)
		if !errors.Is(err, seal.ErrOpen) {
			return key, last.Fingerprint, err
		}
	}
	return k.make(ctx, region, now)
}

func (k Keys) open(own *trail.Key) (*rsa.PrivateKey, error) {
	der, err := seal.Open(k.Secret, own.Sealed, sealedFor(own))
	if err != nil {
		return nil, err
	}
	return x509.ParsePKCS1PrivateKey(der)
}

func sealedFor(own *trail.Key) []byte {
	return []byte("cloudtrail\x00" + own.Region + "\x00" + own.Fingerprint)
}

// make makes a key of a region.
func (k Keys) make(ctx context.Context, region string, now time.Time) (*rsa.PrivateKey, string, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, "", err
	}
	public := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	sum := sha256.Sum256(public)
	own := trail.Key{Region: region, Fingerprint: hex.EncodeToString(sum[:16]), Public: public, From: now, Until: now.Add(keyLife)}
	random := make([]byte, seal.Random)
	if _, err := rand.Read(random); err != nil {
		return nil, "", err
	}
	own.Sealed = seal.Seal(k.Secret, random, x509.MarshalPKCS1PrivateKey(key), sealedFor(&own))
	return key, own.Fingerprint, k.Store.Update(ctx, func(tx store.Tx) error { return tables.Keys.Put(tx, &own) })
}

// sign signs a text by SHA256withRSA: the same text gets the same signature.
func sign(key *rsa.PrivateKey, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	b, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return hex.EncodeToString(b), err
}

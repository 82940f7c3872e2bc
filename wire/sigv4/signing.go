package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"neargate/internal/recent"
)

// signingKey is a derived key, with MACs that have been made for it.
type signingKey struct {
	bytes []byte
	macs  sync.Pool // of hash.Hash
}

// mac is the MAC of data.
func (k *signingKey) mac(data []byte) (sum [sha256.Size]byte) {
	h, ok := k.macs.Get().(hash.Hash)
	if !ok {
		h = hmac.New(sha256.New, k.bytes)
	}
	defer k.macs.Put(h)
	h.Reset()
	h.Write(data)
	h.Sum(sum[:0])
	return sum
}

// keyName has everything the derivation depends on, so that an entry can never
// be stale, and the key id, so that two keys never share one.
type keyName struct{ id, secret, date, region, service string }

// newSigningKeys derives signing keys and remembers the latest.
func newSigningKeys(max int) *recent.Cache[keyName, *signingKey] {
	return recent.New(max, func(n keyName) *signingKey { return &signingKey{bytes: derive(n)} })
}

func derive(n keyName) []byte {
	k := mac([]byte("AWS4"+n.secret), []byte(n.date))
	k = mac(k, []byte(n.region))
	k = mac(k, []byte(n.service))
	return mac(k, []byte(terminator))
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

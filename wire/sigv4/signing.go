package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// signingKeys derives signing keys and remembers the latest. It holds at most
// twice max keys: when the young generation is full it becomes the old one, and
// a key still in use is promoted back.
type signingKeys struct {
	mu         sync.RWMutex
	max        int
	young, old map[keyName]*signingKey
}

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

func newSigningKeys(max int) *signingKeys {
	return &signingKeys{max: max, young: map[keyName]*signingKey{}}
}

func (s *signingKeys) get(n keyName) *signingKey {
	s.mu.RLock()
	k, ok := s.young[n]
	s.mu.RUnlock()
	if ok {
		return k
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok = s.old[n]
	if !ok {
		k = &signingKey{bytes: derive(n)}
	}
	if len(s.young) >= s.max {
		s.old, s.young = s.young, map[keyName]*signingKey{}
	}
	s.young[n] = k
	return k
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

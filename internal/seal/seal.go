// Package seal encrypts small values under a 32-byte key so that any change, also
// of the context they belong to, is noticed when they are opened.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Random is how many random bytes a sealed value needs.
const Random = saltLen + nonceLen

const (
	saltLen  = 32
	nonceLen = 12
	overhead = 16
)

// ErrOpen reports a value that was not sealed under the key for the context, or
// has been changed since.
var ErrOpen = errors.New("seal: cannot open the value")

// Seal encrypts a value. The random bytes, Random of them, must never be used
// twice; they choose a key of the value's own, so that a key may seal any number
// of values.
func Seal(key [32]byte, random, value, context []byte) []byte {
	if len(random) != Random {
		panic(fmt.Sprintf("seal: %d random bytes instead of %d", len(random), Random))
	}
	out := make([]byte, 0, Random+len(value)+overhead)
	out = append(out, random...)
	return aead(key, random[:saltLen]).Seal(out, random[saltLen:], value, context)
}

// Sealer is Seal under a key with random bytes from a source of them.
func Sealer(key [32]byte, random func(n int) []byte) func(value, context []byte) []byte {
	return func(value, context []byte) []byte { return Seal(key, random(Random), value, context) }
}

// Open returns the value that Seal encrypted under the same key and context, or
// ErrOpen.
func Open(key [32]byte, sealed, context []byte) ([]byte, error) {
	if len(sealed) < Random+overhead {
		return nil, ErrOpen
	}
	value, err := aead(key, sealed[:saltLen]).Open(nil, sealed[saltLen:Random], sealed[Random:], context)
	if err != nil {
		return nil, ErrOpen
	}
	return value, nil
}

func aead(key [32]byte, salt []byte) cipher.AEAD {
	own, err := hkdf.Key(sha256.New, key[:], salt, "neargate seal", 32)
	if err != nil {
		panic(err) // the length is a valid one
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		panic(err) // a 32-byte key is always valid
	}
	out, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return out
}

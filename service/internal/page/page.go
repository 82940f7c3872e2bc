// Package page makes pagination tokens that are opaque to clients and cannot be
// altered, moved to another operation, account or region, or made up.
package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// ErrBad reports a token that this installation did not make for this scope.
var ErrBad = errors.New("page: bad token")

// Sealer makes and opens tokens.
type Sealer struct {
	aead cipher.AEAD
	mac  [32]byte
}

// NewSealer returns a sealer for the installation's secret.
func NewSealer(key [32]byte) *Sealer {
	block, err := aes.NewCipher(derive(key, "encrypt"))
	if err != nil {
		panic(err) // a 32-byte key is always valid
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &Sealer{aead: aead, mac: [32]byte(derive(key, "nonce"))}
}

func derive(key [32]byte, purpose string) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// Seal returns a token for the position. The scope binds it, by convention
// account, region, operation and whatever of the request must not change
// between pages. Equal arguments give equal tokens.
func (s *Sealer) Seal(position string, scope ...string) string {
	ad := []byte(strings.Join(scope, "\x00"))
	h := hmac.New(sha256.New, s.mac[:])
	h.Write(ad)
	h.Write([]byte{0})
	h.Write([]byte(position))
	nonce := h.Sum(nil)[:s.aead.NonceSize()]
	return base64.URLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(position), ad))
}

// Open returns the position in a token sealed for the same scope, or ErrBad.
func (s *Sealer) Open(token string, scope ...string) (string, error) {
	b, err := base64.URLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < s.aead.NonceSize() {
		return "", ErrBad
	}
	n := s.aead.NonceSize()
	p, err := s.aead.Open(nil, b[:n], b[n:], []byte(strings.Join(scope, "\x00")))
	if err != nil {
		return "", ErrBad
	}
	return string(p), nil
}

package objects

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// stream encrypts a blob, or decrypts it, from an offset on: AES-256 in counter
// mode with a key of the blob's own, which the installation's key and the blob's
// name give.
func (s *Store) stream(blob string, offset int64) cipher.Stream {
	h := hmac.New(sha256.New, s.Key[:])
	io.WriteString(h, blob)
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		panic("objects: " + err.Error()) // a key of another length
	}
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(offset/aes.BlockSize))
	c := cipher.NewCTR(block, counter[:])
	var skipped [aes.BlockSize]byte
	skip := skipped[:offset%aes.BlockSize]
	c.XORKeyStream(skip, skip)
	return c
}

package objects

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"neargate/resource/objects"
)

// stream encrypts a blob, or decrypts it, from an offset on: AES-256 in counter
// mode with a key of the blob's own, which a data key, or else the installation's key,
// and the blob's name give.
func (s *Store) stream(key objects.DataKey, blob string, offset int64) cipher.Stream {
	if key == nil {
		key = s.Key[:]
	}
	h := hmac.New(sha256.New, key)
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

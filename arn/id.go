package arn

import (
	"encoding/hex"
	"io"
	"math/big"
)

// Source mints ids from a stream of random bytes. It is as random as the
// stream: crypto/rand in the daemon, a seeded generator in simulations. The
// stream must never fail.
type Source struct{ r io.Reader }

// NewSource returns a source reading from r.
func NewSource(r io.Reader) *Source { return &Source{r} }

func (s *Source) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		panic("arn: random source failed: " + err.Error())
	}
	return b
}

// Bytes returns n random bytes.
func (s *Source) Bytes(n int) []byte { return s.bytes(n) }

// Hex returns n lower-case hexadecimal digits, e.g. 32 for an ECS task id and 17
// for the part of an EC2 id after its prefix.
func (s *Source) Hex(n int) string {
	return hex.EncodeToString(s.bytes((n + 1) / 2))[:n]
}

// EC2 returns an EC2 resource id such as eni-0123456789abcdef0.
func (s *Source) EC2(prefix string) string { return prefix + "-0" + s.Hex(16) }

// UUID returns a random (version 4) UUID.
func (s *Source) UUID() string {
	b := s.bytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	id := []byte("00000000-0000-0000-0000-000000000000")
	hex.Encode(id, b[:4])
	hex.Encode(id[9:], b[4:6])
	hex.Encode(id[14:], b[6:8])
	hex.Encode(id[19:], b[8:10])
	hex.Encode(id[24:], b[10:])
	return string(id)
}

// Digits returns n decimal digits; the first may be zero.
func (s *Source) Digits(n int) string { return s.pick("0123456789", n) }

// Base62 returns n letters and digits.
func (s *Source) Base62(n int) string {
	return s.pick("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", n)
}

// IAM returns an IAM unique id: prefix (AROA, AIDA, AKIA, ASIA, ANPA…) and 17
// (16 for access keys) upper-case characters of base 32.
func (s *Source) IAM(prefix string) string {
	n := 17
	if prefix == "AKIA" || prefix == "ASIA" {
		n = 16
	}
	return prefix + s.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", n)
}

// Secret returns n characters for a secret access key or a session token.
func (s *Source) Secret(n int) string {
	return s.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", n)
}

func (s *Source) pick(alphabet string, n int) string {
	// One big random number written in base len(alphabet): no modulo bias worth
	// speaking of with 8 spare bytes.
	num := new(big.Int).SetBytes(s.bytes(n + 8))
	base := big.NewInt(int64(len(alphabet)))
	out := make([]byte, n)
	digit := new(big.Int)
	for i := range out {
		num.DivMod(num, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return string(out)
}

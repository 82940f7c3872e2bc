// Package checksum computes the checksums that Amazon S3 keeps with objects, and
// puts those of parts together to that of a whole.
package checksum

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// Algorithm is a checksum algorithm by Amazon S3's name.
type Algorithm string

// The algorithms.
const (
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
)

// Polynomials in reversed bit order.
const (
	polyIEEE       = crc32.IEEE
	polyCastagnoli = crc32.Castagnoli
	polyNVME       = 0x9a6c9329ac4bc9b5
)

var (
	castagnoli = crc32.MakeTable(polyCastagnoli)
	nvme       = crc64.MakeTable(polyNVME)
)

// New starts a checksum. It is nil for an unknown algorithm.
func (a Algorithm) New() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(castagnoli)
	case CRC64NVME:
		return crc64.New(nvme)
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	}
	return nil
}

// Size is the number of bytes of a checksum, 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	if h := a.New(); h != nil {
		return h.Size()
	}
	return 0
}

// Linear reports whether the checksum of a whole follows from those of its parts.
func (a Algorithm) Linear() bool { return a == CRC32 || a == CRC32C || a == CRC64NVME }

// Encode is a checksum as Amazon S3 writes it.
func Encode(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// Decode reads a checksum of the algorithm; ok is false when it is none.
func (a Algorithm) Decode(text string) (sum []byte, ok bool) {
	sum, err := base64.StdEncoding.DecodeString(text)
	return sum, err == nil && len(sum) == a.Size() && len(sum) > 0
}

// Part is the checksum of a part and the part's length.
type Part struct {
	Sum    []byte
	Length int64
}

// Composite is the checksum of the checksums of parts.
func (a Algorithm) Composite(parts []Part) []byte {
	h := a.New()
	for _, p := range parts {
		h.Write(p.Sum)
	}
	return h.Sum(nil)
}

// Whole is the checksum of everything the parts hold together, of a linear
// algorithm.
func (a Algorithm) Whole(parts []Part) []byte {
	switch a {
	case CRC32:
		return whole(parts, polyIEEE, 32)
	case CRC32C:
		return whole(parts, polyCastagnoli, 32)
	}
	return whole(parts, polyNVME, 64)
}

// whole appends the CRCs of parts to one another. The CRC of A followed by n
// bytes B is that of A, moved on by n zero bytes, plus that of B.
func whole(parts []Part, poly uint64, width uint) []byte {
	var crc uint64
	for _, p := range parts {
		crc = shift(crc, p.Length, poly, width) ^ number(p.Sum)
	}
	out := make([]byte, width/8)
	for i := range out {
		out[len(out)-1-i] = byte(crc)
		crc >>= 8
	}
	return out
}

func number(sum []byte) (n uint64) {
	for _, b := range sum {
		n = n<<8 | uint64(b)
	}
	return n
}

// shift multiplies a CRC by x^(8n) modulo the polynomial.
func shift(crc uint64, n int64, poly uint64, width uint) uint64 {
	power := uint64(1) << (width - 1 - 8) // x^8: bit order is reversed
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			crc = multiply(crc, power, poly, width)
		}
		power = multiply(power, power, poly, width)
	}
	return crc
}

// multiply is a*b modulo the polynomial.
func multiply(a, b, poly uint64, width uint) (product uint64) {
	for bit := uint64(1) << (width - 1); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ poly
		} else {
			b >>= 1
		}
	}
	return product
}

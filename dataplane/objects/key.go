package objects

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"neargate/arn"
)

// Key spaces of the index.
const (
	spaceVersion = 'o' // bucket, key, newest first: a version
	spaceUpload  = 'u' // bucket, key, id: an upload
	spacePart    = 'p' // upload, number: a part
	spaceData    = 'd' // blob: inline content
	spaceFile    = 'f' // blob: the blob's file is in use
	spaceGarbage = 'g' // blob: the blob's file is to be deleted
)

// bucketLen is the length of a bucket's id.
const bucketLen = 16

func versionsOf(bucket string) []byte { return append([]byte{spaceVersion}, bucket...) }

func uploadsOf(bucket string) []byte { return append([]byte{spaceUpload}, bucket...) }

// versionsOfKey is the prefix of a key's versions.
func versionsOfKey(bucket, key string) []byte { return terminate(appendKey(versionsOf(bucket), key)) }

// versionKey is where a version is.
func versionKey(bucket, key string, order uint64) []byte {
	return binary.BigEndian.AppendUint64(versionsOfKey(bucket, key), ^order)
}

// orderOf is the order in a version's key.
func orderOf(k []byte) uint64 { return ^binary.BigEndian.Uint64(k[len(k)-8:]) }

func uploadKey(bucket, key, id string) []byte {
	return append(terminate(appendKey(uploadsOf(bucket), key)), id...)
}

func partsOf(upload string) []byte { return append([]byte{spacePart}, upload...) }

func partKey(upload string, number int) []byte {
	return binary.BigEndian.AppendUint16(partsOf(upload), uint16(number))
}

func blobKey(space byte, blob string) []byte { return append([]byte{space}, blob...) }

// appendKey appends an object's key so that the order of keys, and prefixes,
// stay what they are: a zero byte becomes two.
func appendKey(dst []byte, key string) []byte {
	for i := 0; i < len(key); i++ {
		dst = append(dst, key[i])
		if key[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// terminate ends a whole key.
func terminate(dst []byte) []byte { return append(dst, 0, 1) }

// after is the first key that sorts after all with the prefix.
func after(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// newVersionID makes the id of a version of the order.
func newVersionID(order uint64, ids *arn.Source) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), order)
	random, err := hex.DecodeString(ids.Hex(32))
	if err != nil {
		panic("objects: " + err.Error()) // not hexadecimal
	}
	return base64.RawURLEncoding.EncodeToString(append(b, random...))
}

// versionOrder reads the order out of a version's id.
func versionOrder(id string) (uint64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) != 24 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

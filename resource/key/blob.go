package key

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Blob is what a ciphertext says of itself: the key and which of its materials
// encrypted it.
type Blob struct {
	Account, ID string
	Material    uint32 // index
	Header      []byte // as it stands in the ciphertext
	Body        []byte // what is sealed
}

// The header of a ciphertext: a version, the key's account as a number, its id
// and the index of the material.
const (
	blobVersion = 1
	headerLen   = 1 + 8 + 16 + 4
)

// Header begins a ciphertext made with the current material of the key.
func (k *Key) Header() []byte {
	account, err := strconv.ParseUint(k.Account, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("key: account %q", k.Account))
	}
	id, err := hex.DecodeString(strings.ReplaceAll(k.ID, "-", ""))
	if err != nil || len(id) != 16 {
		panic(fmt.Sprintf("key: id %q", k.ID))
	}
	b := append(make([]byte, 0, headerLen), blobVersion)
	b = binary.BigEndian.AppendUint64(b, account)
	b = append(b, id...)
	return binary.BigEndian.AppendUint32(b, uint32(len(k.Materials)-1))
}

// ParseBlob reads the header of a ciphertext.
func ParseBlob(b []byte) (Blob, bool) {
	if len(b) < headerLen || b[0] != blobVersion {
		return Blob{}, false
	}
	account := binary.BigEndian.Uint64(b[1:])
	if account > 999999999999 {
		return Blob{}, false
	}
	id := hex.EncodeToString(b[9:25])
	return Blob{
		Account:  fmt.Sprintf("%012d", account),
		ID:       id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:],
		Material: binary.BigEndian.Uint32(b[25:]),
		Header:   b[:headerLen], Body: b[headerLen:],
	}, true
}

// Additional is what a ciphertext is bound to beside its key: its header, the
// region and the encryption context, in a form that no two contexts share.
func Additional(header []byte, region string, context map[string]string) []byte {
	var b bytes.Buffer
	b.Write(header)
	add := func(s string) {
		binary.Write(&b, binary.BigEndian, uint32(len(s)))
		b.WriteString(s)
	}
	add(region)
	for _, k := range slices.Sorted(maps.Keys(context)) {
		add(k)
		add(context[k])
	}
	return b.Bytes()
}

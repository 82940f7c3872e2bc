package logs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	api "neargate/aws/logs"
	"neargate/resource/logs"
)

// mark is what a token of GetLogEvents says: read on from a position, which is
// between two events. A forward reader gets the events from the position on, a
// backward reader those before it.
type mark struct {
	logs.Position
	backward bool
	end      bool // the page before was empty
}

// narrow is the part of a span that a reader has before it.
func (m mark) narrow(span logs.Span) logs.Span {
	if m.backward && m.Compare(span.To) < 0 {
		span.To = m.Position
	}
	if !m.backward && m.Compare(span.From) > 0 {
		span.From = m.Position
	}
	return span
}

// A token is f/DIGITS/s or b/DIGITS/s with 56 digits: a 3, and in 55 digits a
// number of markLen bytes: a code that proves where the token comes from, the
// time with the highest bit set at the end, and the sequence number.
const (
	codeLen = 6
	markLen = codeLen + 8 + 8
	endBit  = 1 << 63
)

func (s *Service) sealMark(m mark, st *logs.Stream) string {
	at := uint64(m.Time)
	if m.end {
		at |= endBit
	}
	content := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, at), m.Seq)
	n := new(big.Int).SetBytes(append(s.markCode(m, content, st), content...))
	return fmt.Sprintf("%s/3%055d/s", m.letter(), n)
}

func (s *Service) openMark(token string, st *logs.Stream) (mark, error) {
	bad := api.InvalidParameterException("The specified nextToken is invalid.")
	letter, rest, _ := strings.Cut(token, "/3")
	n, ok := new(big.Int).SetString(strings.TrimSuffix(rest, "/s"), 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 8*markLen {
		return mark{}, bad
	}
	content := n.FillBytes(make([]byte, markLen))[codeLen:]
	at := binary.BigEndian.Uint64(content)
	m := mark{
		backward: letter == "b", end: at&endBit != 0,
		Position: logs.Position{Time: int64(at &^ endBit), Seq: binary.BigEndian.Uint64(content[8:])},
	}
	if !hmac.Equal([]byte(s.sealMark(m, st)), []byte(token)) {
		return mark{}, bad
	}
	return m, nil
}

// markCode binds a token to this installation and to the stream.
func (s *Service) markCode(m mark, content []byte, st *logs.Stream) []byte {
	h := hmac.New(sha256.New, s.deps.TokenKey[:])
	fmt.Fprintf(h, "GetLogEvents %s %d %d ", m.letter(), st.ID.Group, st.ID.Stream)
	h.Write(content)
	return h.Sum(nil)[:codeLen]
}

func (m mark) letter() string {
	if m.backward {
		return "b"
	}
	return "f"
}

package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Bounds of an aws-chunked body. A signed chunk is held in memory until its
// signature is proven.
const (
	maxSignedChunk = 16 << 20
	maxChunkLine   = 4 << 10
	maxTrailers    = 32
)

// Body is the proven body of a streamed request. Its errors are of type *Error
// where the body is not what was signed.
type Body struct {
	io.Reader
	trailer http.Header
}

// Trailer returns the headers that followed an aws-chunked body. It is complete
// once Read has returned io.EOF.
func (b *Body) Trailer() http.Header { return b.trailer }

// Unproven is the body of a request that nobody has to prove: what it says of
// itself is undone, and no signature is looked at.
func Unproven(r *http.Request) *Body {
	payload := r.Header.Get("X-Amz-Content-Sha256")
	switch payload {
	case unsignedTrailer, signedChunks, signedTrailer:
	default:
		payload = unsignedPayload
	}
	b, err := newBody(r, &Claim{}, payload, nil)
	if err != nil {
		return &Body{Reader: broken{err}}
	}
	if c, ok := b.Reader.(*chunkedReader); ok {
		c.unproven = true
	}
	return b
}

// broken is a body that cannot be read.
type broken struct{ err error }

// Read implements io.Reader.
func (b broken) Read([]byte) (int, error) { return 0, b.err }

var errMalformedChunk = &Error{Incomplete, "The request body is not a valid aws-chunked stream."}

// newBody makes the reader for what payload, the value of X-Amz-Content-Sha256,
// says of the body.
func newBody(r *http.Request, c *Claim, payload string, signing []byte) (*Body, error) {
	switch payload {
	case unsignedPayload:
		return &Body{Reader: r.Body}, nil
	case unsignedTrailer, signedChunks, signedTrailer:
	default:
		if len(payload) != hex.EncodedLen(sha256.Size) {
			return nil, &Error{Incomplete, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
				"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."}
		}
		return &Body{Reader: &hashedReader{src: r.Body, sum: sha256.New(), want: payload}}, nil
	}
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return nil, &Error{Incomplete, "You must provide the x-amz-decoded-content-length header with an aws-chunked body."}
	}
	b := &Body{trailer: http.Header{}}
	b.Reader = &chunkedReader{
		src:      bufio.NewReaderSize(r.Body, maxChunkLine),
		left:     length,
		signed:   payload != unsignedTrailer,
		key:      signing,
		scope:    c.stamp + "\n" + c.scope() + "\n",
		previous: c.signature,
		declared: declaredTrailers(r, payload),
		trailer:  b.trailer,
	}
	return b, nil
}

func declaredTrailers(r *http.Request, payload string) []string {
	if payload == signedChunks {
		return nil
	}
	var names []string
	for _, v := range r.Header.Values("X-Amz-Trailer") {
		for name := range strings.SplitSeq(v, ",") {
			names = append(names, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	return names
}

// hashedReader fails at the end when what it delivered has another hash.
type hashedReader struct {
	src  io.Reader
	sum  hash.Hash
	want string
}

// Read implements io.Reader.
func (h *hashedReader) Read(p []byte) (int, error) {
	n, err := h.src.Read(p)
	h.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(h.sum.Sum(nil)) != h.want {
		return n, &Error{BodyMismatch, msgBodyHash}
	}
	return n, err
}

// chunkedReader decodes aws-chunked. Where chunks are signed it delivers no
// byte of a chunk before the chunk's signature is proven.
type chunkedReader struct {
	src      *bufio.Reader
	left     int64 // decoded bytes still to come
	signed   bool
	unproven bool // signatures are not looked at
	key      []byte
	scope    string // timestamp and credential scope, as in a string to sign
	previous string // signature the next one chains to
	declared []string
	trailer  http.Header

	chunk   []byte // proven bytes not delivered yet; signed only
	pending int64  // bytes left in the current chunk; unsigned only
	err     error
}

// Read implements io.Reader.
func (c *chunkedReader) Read(p []byte) (int, error) {
	for len(c.chunk) == 0 && c.pending == 0 && c.err == nil {
		c.err = c.next()
	}
	switch {
	case len(c.chunk) > 0:
		n := copy(p, c.chunk)
		c.chunk = c.chunk[n:]
		return n, nil
	case c.pending > 0:
		return c.readUnsigned(p)
	}
	return 0, c.err
}

func (c *chunkedReader) readUnsigned(p []byte) (int, error) {
	if int64(len(p)) > c.pending {
		p = p[:c.pending]
	}
	n, err := c.src.Read(p)
	c.pending -= int64(n)
	if err == nil && c.pending == 0 {
		err = c.crlf()
	}
	if err != nil {
		c.pending, c.err = 0, cut(err)
		return n, c.err
	}
	return n, nil
}

// next reads a chunk's head and, where chunks are signed, the chunk. It returns
// io.EOF after the last chunk and its trailer.
func (c *chunkedReader) next() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	head, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(head, 16, 62)
	if err != nil || c.signed && size > maxSignedChunk {
		return errMalformedChunk
	}
	if int64(size) > c.left {
		return errMalformedChunk
	}
	c.left -= int64(size)
	if c.signed {
		if err := c.readSigned(int(size), extension); err != nil {
			return err
		}
	} else {
		c.pending = int64(size)
	}
	if size > 0 {
		return nil
	}
	if c.left != 0 {
		return &Error{Incomplete, "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header"}
	}
	return c.readTrailer()
}

func (c *chunkedReader) readSigned(size int, extension string) error {
	signature, ok := strings.CutPrefix(strings.TrimSpace(extension), "chunk-signature=")
	if !ok {
		return errMalformedChunk
	}
	var data bytes.Buffer // grows with what arrives, not with what is announced
	if _, err := io.CopyN(&data, c.src, int64(size)); err != nil {
		return cut(err)
	}
	if size > 0 {
		if err := c.crlf(); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(data.Bytes())
	if err := c.prove("AWS4-HMAC-SHA256-PAYLOAD", emptyHash+"\n"+hex.EncodeToString(sum[:]), signature); err != nil {
		return err
	}
	c.chunk = data.Bytes()
	return nil
}

// prove checks one signature of the chain.
func (c *chunkedReader) prove(kind, hashes, signature string) error {
	if c.unproven {
		return nil
	}
	want := hex.EncodeToString(mac(c.key, []byte(kind+"\n"+c.scope+c.previous+"\n"+hashes)))
	if subtle.ConstantTimeCompare([]byte(want), []byte(signature)) != 1 {
		return &Error{Mismatch, msgMismatch}
	}
	c.previous = signature
	return nil
}

// readTrailer reads the headers after the last chunk up to the empty line that
// ends the body. Signed ones are proven before any is seen by the caller.
func (c *chunkedReader) readTrailer() error {
	var canonical strings.Builder
	got := http.Header{}
	signature := ""
	for n := 0; ; n++ {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || n >= maxTrailers:
			return errMalformedChunk
		case c.signed && name == "x-amz-trailer-signature":
			signature = value
		case signature != "" || !slices.Contains(c.declared, name):
			return errMalformedChunk
		default:
			canonical.WriteString(name + ":" + value + "\n")
			got.Add(name, value)
		}
	}
	if len(got) != len(c.declared) {
		return errMalformedChunk
	}
	if c.signed && len(c.declared) > 0 {
		sum := sha256.Sum256([]byte(canonical.String()))
		if err := c.prove("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(sum[:]), signature); err != nil {
			return err
		}
	}
	for name, values := range got {
		c.trailer[name] = values
	}
	return io.EOF
}

// line reads up to CRLF, which it drops. A bare LF ends a line of a trailer too,
// as some signers write it.
func (c *chunkedReader) line() (string, error) {
	b, err := c.src.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errMalformedChunk
	}
	if err != nil {
		return "", cut(err)
	}
	return strings.TrimSuffix(string(b[:len(b)-1]), "\r"), nil
}

func (c *chunkedReader) crlf() error {
	line, err := c.line()
	if err == nil && line != "" {
		err = errMalformedChunk
	}
	return err
}

// cut turns an early end into an error that is not io.EOF.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

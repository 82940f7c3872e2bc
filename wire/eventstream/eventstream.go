// Package eventstream writes the messages of which AWS's streams of events
// consist: a prelude with lengths, headers, a payload, and checksums.
// Source: "Amazon event stream specification" of Smithy
// (smithy.io/2.0/aws/amazon-eventstream.html).
package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// ContentType is the media type of a stream.
const ContentType = "application/vnd.amazon.eventstream"

// Header is a header of a message with a text as its value. Names are at most
// 255 bytes long, values 32,767.
type Header struct{ Name, Value string }

// stringType says that a header's value is a text.
const stringType = 7

// overhead is what a message has beside headers and payload: two lengths and the
// checksum of both, and the checksum of all before it.
const overhead = 4 + 4 + 4 + 4

// Append appends a message.
func Append(b []byte, headers []Header, payload []byte) []byte {
	size := 0
	for _, h := range headers {
		size += 1 + len(h.Name) + 1 + 2 + len(h.Value)
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(overhead+size+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
	for _, h := range headers {
		b = append(append(b, byte(len(h.Name))), h.Name...)
		b = append(b, stringType)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(h.Value))), h.Value...)
	}
	b = append(b, payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

// Event is the message of an event.
func Event(b []byte, name, contentType string, payload []byte) []byte {
	return Append(b, []Header{{":message-type", "event"}, {":event-type", name}, {":content-type", contentType}}, payload)
}

// Exception is the message of an error of the model, with which a stream ends.
func Exception(b []byte, name, contentType string, payload []byte) []byte {
	return Append(b, []Header{{":message-type", "exception"}, {":exception-type", name}, {":content-type", contentType}}, payload)
}

// Failure is the message of any other error.
func Failure(b []byte, code, message string) []byte {
	return Append(b, []Header{{":message-type", "error"}, {":error-code", code}, {":error-message", message}}, nil)
}

// InitialResponse is the name of the event that carries what an answer has
// beside its stream, in protocols without HTTP bindings.
const InitialResponse = "initial-response"

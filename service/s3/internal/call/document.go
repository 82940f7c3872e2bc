package call

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/store"
	"neargate/store/tables/buckets"
)

// XMLName is the name of an element.
type XMLName = xml.Name

// Owner is an account as documents name it.
type Owner struct {
	ID string
}

// Canonical is the canonical user id of an account.
func Canonical(account string) Owner {
	sum := sha256.Sum256([]byte("canonical user " + account))
	return Owner{hex.EncodeToString(sum[:])}
}

// Number reads a parameter that is a count.
func (x *Request) Number(name string, otherwise int) (int, error) {
	v := x.Query.Get(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, InvalidArgument("Provided "+name+" not an integer or within integer range", name, v)
	}
	if n < 0 {
		return 0, InvalidArgument("Argument "+name+" must be an integer between 0 and "+strconv.Itoa(math.MaxInt32), name, v)
	}
	return min(int(n), objects.MaxPage), nil
}

// Token says where the next page begins. It gives no access, so nothing is sealed.
func Token(last string) string { return base64.URLEncoding.EncodeToString([]byte("1" + last)) }

// Untoken is what Token was made of.
func Untoken(t string) (string, error) {
	b, err := base64.URLEncoding.DecodeString(t)
	if err != nil || len(b) < 2 || b[0] != '1' {
		return "", InvalidArgument("The continuation token provided is incorrect", "continuation-token", t)
	}
	return string(b[1:]), nil
}

// Stamp is a time as documents have it.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// TaggingDocument holds tags.
type TaggingDocument struct {
	XMLName XMLName `xml:"Tagging"`
	Xmlns   string  `xml:"xmlns,attr,omitempty"`
	TagSet  TagSet
}

// TagSet is the tags of a document.
type TagSet struct {
	Tags []objects.Tag `xml:"Tag"`
}

// Tags reads the tags in a document.
func (x *Request) Tags(most int, what string) ([]objects.Tag, error) {
	var in TaggingDocument
	if err := x.Read(&in); err != nil {
		return nil, err
	}
	return in.TagSet.Tags, CheckTags(in.TagSet.Tags, most, what)
}

// Class is a storage class by its name.
func Class(c string) string {
	if c == "" {
		return "STANDARD"
	}
	return c
}

// Update changes the bucket's record.
func (x *Request) Update(change func(*objects.Bucket) error) error {
	return x.Store.Update(x.Ctx, func(tx store.Tx) error {
		b, ok, err := buckets.Buckets.Find(tx, x.Bucket.Name)
		if err != nil {
			return err
		}
		if !ok || b.ID != x.Bucket.ID {
			return objects.ErrNoBucket
		}
		if err := change(&b); err != nil {
			return err
		}
		return buckets.Buckets.Put(tx, &b)
	})
}

// Parse reads an XML document.
func Parse(text []byte, into any) error {
	if err := xml.Unmarshal(text, into); err != nil {
		return ErrMalformedXML
	}
	return nil
}

// Document reads a whole body that is a document, and proves it.
func (x *Request) Document() ([]byte, error) {
	p, err := x.promises()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(x.Content(), maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxDocument {
		return nil, Fail("MaxMessageLengthExceeded", 400, "Your request was too big.", Element{"MaxMessageLengthBytes", strconv.Itoa(maxDocument)})
	}
	sum := md5.Sum(text)
	st := objects.Staged{MD5: sum[:], Sums: map[checksum.Algorithm][]byte{}}
	if h := p.checksum.Algorithm.New(); h != nil {
		h.Write(text)
		st.Sums[p.checksum.Algorithm] = h.Sum(nil)
	}
	return text, x.keep(&p, &st)
}

// Read reads an XML document.
func (x *Request) Read(into any) error {
	text, err := x.Document()
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return Fail("MissingRequestBodyError", 400, "Request Body is empty")
	}
	if err := xml.Unmarshal(text, into); err != nil {
		return ErrMalformedXML
	}
	return nil
}

// maxDocument bounds the XML and JSON documents in bodies.
const maxDocument = 4 << 20

// Namespace is that of every document.
const Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Write answers a document.
func (x *Request) Write(document any) error {
	text, err := xml.Marshal(document)
	if err != nil {
		return err
	}
	x.Status, x.Sent = http.StatusOK, true
	x.Set("Content-Type", "application/xml")
	x.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(text)))
	x.W.WriteHeader(http.StatusOK)
	if x.R.Method == http.MethodHead {
		return nil
	}
	if _, err := x.W.Write(append([]byte(xml.Header), text...)); err != nil {
		x.Failed = err
	}
	return nil
}

// Initiator is who began an upload.
type Initiator struct{ ID string }

// Checksums are the elements that tell a checksum.
type Checksums struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// ShowChecksum is the elements for a checksum.
func ShowChecksum(c objects.Checksum) (out Checksums) {
	switch c.Algorithm {
	case checksum.CRC32:
		out.ChecksumCRC32 = c.Value
	case checksum.CRC32C:
		out.ChecksumCRC32C = c.Value
	case checksum.CRC64NVME:
		out.ChecksumCRC64NVME = c.Value
	case checksum.SHA1:
		out.ChecksumSHA1 = c.Value
	case checksum.SHA256:
		out.ChecksumSHA256 = c.Value
	}
	out.ChecksumType = c.Type
	return out
}

// Get is the checksum in the elements.
func (c *Checksums) Get() objects.Checksum {
	for _, f := range []struct {
		a     checksum.Algorithm
		value string
	}{
		{checksum.CRC32, c.ChecksumCRC32}, {checksum.CRC32C, c.ChecksumCRC32C}, {checksum.CRC64NVME, c.ChecksumCRC64NVME},
		{checksum.SHA1, c.ChecksumSHA1}, {checksum.SHA256, c.ChecksumSHA256},
	} {
		if f.value != "" {
			return objects.Checksum{Algorithm: f.a, Value: f.value}
		}
	}
	return objects.Checksum{}
}

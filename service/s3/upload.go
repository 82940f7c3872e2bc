package s3

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"neargate/internal/checksum"
	"neargate/resource/objects"
)

type createUploadResult struct {
	XMLName  xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadId string
}

func createMultipartUpload(x *request) error {
	u := objects.Upload{Key: x.place.key, Account: x.caller.Account}
	var err error
	if u.About, err = x.about(); err != nil {
		return err
	}
	if err := x.tagging(&u.About); err != nil {
		return err
	}
	if u.Checksum, err = x.uploadChecksum(); err != nil {
		return err
	}
	if u, err = x.cfg.Engine.Begin(x.bucket.ID, u); err != nil {
		return err
	}
	x.set("x-amz-server-side-encryption", "AES256")
	if x.r.Header.Get("X-Amz-Checksum-Algorithm") != "" {
		x.set("x-amz-checksum-algorithm", string(u.Checksum.Algorithm))
		x.set("x-amz-checksum-type", u.Checksum.Type)
	}
	return x.write(createUploadResult{Bucket: x.bucket.Name, Key: u.Key, UploadId: u.ID})
}

// uploadChecksum is the kind of checksum an upload is to have.
func (x *request) uploadChecksum() (c objects.Checksum, err error) {
	c.Algorithm = checksum.Algorithm(strings.ToUpper(x.r.Header.Get("X-Amz-Checksum-Algorithm")))
	c.Type = x.r.Header.Get("X-Amz-Checksum-Type")
	if c.Algorithm == "" {
		if c.Type != "" {
			return c, fail("InvalidRequest", 400, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return objects.Checksum{Algorithm: checksum.CRC64NVME, Type: objects.FullObject}, nil
	}
	if c.Algorithm.New() == nil {
		return c, errUnsupportedDigest
	}
	switch c.Type {
	case "":
		c.Type = objects.Composite
		if c.Algorithm == checksum.CRC64NVME {
			c.Type = objects.FullObject
		}
	case objects.Composite, objects.FullObject:
		if c.Type == objects.FullObject && !c.Algorithm.Linear() || c.Type == objects.Composite && c.Algorithm == checksum.CRC64NVME {
			return c, fail("InvalidRequest", 400, "The "+c.Type+" checksum type cannot be used with the "+strings.ToLower(string(c.Algorithm))+" checksum algorithm.")
		}
	default:
		return c, fail("InvalidRequest", 400, "Value for x-amz-checksum-type header is invalid.")
	}
	return c, nil
}

// upload is the upload a request names.
func (x *request) upload() (objects.Upload, error) {
	return x.cfg.Engine.Upload(x.bucket.ID, x.place.key, x.query.Get("uploadId"))
}

// partNumber is the number of the part a request is about.
func (x *request) partNumber() (int, error) {
	v := x.query.Get("partNumber")
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > objects.MaxParts {
		return 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", v)
	}
	return n, nil
}

func uploadPart(x *request) error {
	number, err := x.partNumber()
	if err != nil {
		return err
	}
	if err := x.plain(); err != nil {
		return err
	}
	u, err := x.upload()
	if err != nil {
		return err
	}
	n, err := x.length()
	if err != nil {
		return err
	}
	if n > objects.MaxPut {
		return errTooLarge
	}
	st, sum, err := x.take(n, u.Checksum.Algorithm)
	if err != nil {
		return err
	}
	sum.Type = ""
	p, err := x.cfg.Engine.PutPart(x.bucket.ID, u.Key, u.ID, objects.Part{Number: number, Checksum: sum}, st)
	if err != nil {
		return err
	}
	x.set("ETag", quoted(p.ETag))
	x.checksum(p.Checksum)
	x.set("x-amz-server-side-encryption", "AES256")
	return x.ok(http.StatusOK)
}

func uploadPartCopy(x *request) error {
	if err := x.allow("s3:PutObject", x.place.key); err != nil {
		return err
	}
	number, err := x.partNumber()
	if err != nil {
		return err
	}
	u, err := x.upload()
	if err != nil {
		return err
	}
	s, err := x.source()
	if err != nil {
		return err
	}
	defer func() {
		if err := s.content.Close(); err != nil {
			x.failed = errors.Join(x.failed, err)
		}
	}()
	offset, length, err := x.copySpan(s)
	if err != nil {
		return err
	}
	if length > objects.MaxPut {
		return fail("InvalidRequest", 400, "The specified copy source is larger than the maximum allowable size for a copy source: "+strconv.Itoa(objects.MaxPut))
	}
	a := u.Checksum.Algorithm
	st, err := x.cfg.Engine.Stage(x.ctx, s.content.Range(offset, length), a)
	if err != nil {
		return err
	}
	sum := objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a])}
	p, err := x.cfg.Engine.PutPart(x.bucket.ID, u.Key, u.ID, objects.Part{Number: number, Checksum: sum}, st)
	if err != nil {
		return err
	}
	x.set("x-amz-server-side-encryption", "AES256")
	return x.write(copyResult{xmlName{Local: "CopyPartResult"}, namespace, stamp(p.Modified), quoted(p.ETag), showChecksum(p.Checksum)})
}

type completeInput struct {
	XMLName xmlName `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
		checksums
	} `xml:"Part"`
}

type completeResult struct {
	XMLName  xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string
	checksums
}

func completeMultipartUpload(x *request) error {
	f := objects.Finish{Bucket: x.bucket.ID, Versioning: x.bucket.Versioning, Key: x.place.key, Upload: x.query.Get("uploadId")}
	if err := x.readComplete(&f); err != nil {
		return err
	}
	v, err := x.cfg.Engine.Complete(f)
	if errors.Is(err, objects.ErrChecksum) {
		return fail("BadDigest", 400, "The "+strings.ToLower(string(f.Checksum.Algorithm))+" you specified did not match the calculated checksum.")
	}
	if err != nil {
		return err
	}
	x.set("x-amz-server-side-encryption", "AES256")
	x.versionID(v.ID)
	x.expiration(&v)
	scheme := "http://"
	if x.r.TLS != nil {
		scheme = "https://"
	}
	return x.write(completeResult{Location: scheme + x.r.Host + x.r.URL.EscapedPath(), Bucket: x.bucket.Name, Key: v.Key, ETag: quoted(v.ETag), checksums: showChecksum(v.Checksum)})
}

// readComplete reads what is to be put together. The checksum headers are of the
// whole object, not of the document.
func (x *request) readComplete(f *objects.Finish) error {
	for name, values := range x.r.Header {
		text, ok := strings.CutPrefix(name, checksumHeader)
		if a := checksum.Algorithm(strings.ToUpper(text)); ok && a.New() != nil {
			f.Checksum = objects.Checksum{Algorithm: a, Value: values[0]}
			x.r.Header.Del(name)
		}
	}
	x.r.Header.Del("X-Amz-Sdk-Checksum-Algorithm")
	if f.Checksum.Value != "" {
		u, err := x.upload()
		if err != nil {
			return err
		}
		f.Checksum.Type = u.Checksum.Type
	}
	if t := x.r.Header.Get("X-Amz-Checksum-Type"); t != "" {
		u, err := x.upload()
		if err == nil && t != u.Checksum.Type {
			return fail("InvalidRequest", 400, "The upload was created using the "+u.Checksum.Type+" checksum mode. The complete request must use the same checksum mode.")
		}
	}
	if v := x.r.Header.Get("X-Amz-Mp-Object-Size"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return fail("InvalidRequest", 400, "Value for x-amz-mp-object-size header is invalid.")
		}
		f.Size = &n
	}
	var err error
	if f.If, err = x.writeCondition(); err != nil {
		return err
	}
	var in completeInput
	if err := x.read(&in); err != nil {
		return err
	}
	if len(in.Parts) == 0 || len(in.Parts) > objects.MaxParts {
		return errMalformedXML
	}
	for _, part := range in.Parts {
		f.Parts = append(f.Parts, objects.Part{Number: part.PartNumber, ETag: unquote(part.ETag), Checksum: part.checksums.checksum()})
	}
	if f.Checksum.Type == objects.Composite && !strings.Contains(f.Checksum.Value, "-") {
		f.Checksum.Value += "-" + strconv.Itoa(len(f.Parts))
	}
	return nil
}

func abortMultipartUpload(x *request) error {
	if err := x.cfg.Engine.Abort(x.bucket.ID, x.place.key, x.query.Get("uploadId")); err != nil {
		return err
	}
	return x.ok(http.StatusNoContent)
}

type listPartsResult struct {
	XMLName              xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadId             string
	Initiator            initiator
	Owner                owner
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	Parts                []listedPart
}

type initiator struct{ ID string }

type listedPart struct {
	XMLName      xmlName `xml:"Part"`
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksums
}

func listParts(x *request) error {
	u, err := x.upload()
	if err != nil {
		return err
	}
	most, err := x.number("max-parts", objects.MaxPage)
	if err != nil {
		return err
	}
	after := 0
	if v := x.query.Get("part-number-marker"); v != "" {
		if after, err = strconv.Atoi(v); err != nil || after < 0 {
			return invalidArgument("Provided part-number-marker not an integer or within integer range", "part-number-marker", v)
		}
	}
	parts, err := x.cfg.Engine.Parts(u.ID, after, most+1)
	if err != nil {
		return err
	}
	out := listPartsResult{Bucket: x.bucket.Name, Key: u.Key, UploadId: u.ID, Initiator: initiator(canonical(u.Account)), Owner: canonical(x.bucket.Account), StorageClass: class(u.Class),
		PartNumberMarker: after, MaxParts: most, IsTruncated: most > 0 && len(parts) > most, ChecksumAlgorithm: string(u.Checksum.Algorithm), ChecksumType: u.Checksum.Type}
	for _, p := range parts[:min(len(parts), most)] {
		out.Parts = append(out.Parts, listedPart{PartNumber: p.Number, LastModified: stamp(p.Modified), ETag: quoted(p.ETag), Size: p.Size, checksums: showChecksum(p.Checksum)})
		out.NextPartNumberMarker = p.Number
	}
	return x.write(out)
}

type listUploadsResult struct {
	XMLName            xmlName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIdMarker     string
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIdMarker string `xml:",omitempty"`
	Prefix             string `xml:",omitempty"`
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []listedUpload
	CommonPrefixes     []commonPrefix
}

type listedUpload struct {
	XMLName           xmlName `xml:"Upload"`
	Key               string
	UploadId          string
	Initiator         initiator
	Owner             owner
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func listMultipartUploads(x *request) error {
	l, err := x.listing("max-uploads")
	if err != nil {
		return err
	}
	l.After = x.query.Get("key-marker")
	if l.After != "" { // without it an upload-id-marker is ignored
		l.AfterVersion = x.query.Get("upload-id-marker")
	}
	page, err := x.cfg.Engine.Uploads(x.bucket.ID, l.Query)
	if err != nil {
		return err
	}
	out := listUploadsResult{Bucket: x.bucket.Name, KeyMarker: l.text(l.After), UploadIdMarker: l.AfterVersion, Prefix: l.text(l.Prefix), Delimiter: l.text(l.Delimiter),
		EncodingType: l.encoding, MaxUploads: l.Max, IsTruncated: page.Truncated}
	if page.Truncated {
		out.NextKeyMarker, out.NextUploadIdMarker = l.text(page.Last), page.LastVersion
	}
	for _, u := range page.Items {
		out.Uploads = append(out.Uploads, listedUpload{Key: l.text(u.Key), UploadId: u.ID, Initiator: initiator(canonical(u.Account)), Owner: canonical(x.bucket.Account),
			StorageClass: class(u.Class), Initiated: stamp(u.Initiated), ChecksumAlgorithm: string(u.Checksum.Algorithm), ChecksumType: u.Checksum.Type})
	}
	out.CommonPrefixes = l.prefixes(page.Prefixes)
	return x.write(out)
}

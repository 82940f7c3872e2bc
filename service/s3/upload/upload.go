package upload

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
)

type createUploadResult struct {
	XMLName  call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadId string
}

func createMultipartUpload(x *request) error {
	u := objects.Upload{Key: x.Place.Key, Account: x.Caller.Account}
	var err error
	if u.About, err = x.About(); err != nil {
		return err
	}
	if err := x.Tagging(&u.About); err != nil {
		return err
	}
	if u.Checksum, err = uploadChecksum(x); err != nil {
		return err
	}
	if _, err := x.Encrypt(&u.About); err != nil {
		return err
	}
	if u, err = x.Engine.Begin(x.Bucket.ID, u); err != nil {
		return err
	}
	x.Encryption(&u.About)
	if x.R.Header.Get("X-Amz-Checksum-Algorithm") != "" {
		x.Set("x-amz-checksum-algorithm", string(u.Checksum.Algorithm))
		x.Set("x-amz-checksum-type", u.Checksum.Type)
	}
	return x.Write(createUploadResult{Bucket: x.Bucket.Name, Key: u.Key, UploadId: u.ID})
}

// uploadChecksum is the kind of checksum an upload is to have.
func uploadChecksum(x *request) (c objects.Checksum, err error) {
	c.Algorithm = checksum.Algorithm(strings.ToUpper(x.R.Header.Get("X-Amz-Checksum-Algorithm")))
	c.Type = x.R.Header.Get("X-Amz-Checksum-Type")
	if c.Algorithm == "" {
		if c.Type != "" {
			return c, call.Fail("InvalidRequest", 400, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return objects.Checksum{Algorithm: checksum.CRC64NVME, Type: objects.FullObject}, nil
	}
	if c.Algorithm.New() == nil {
		return c, call.ErrUnsupportedDigest
	}
	switch c.Type {
	case "":
		c.Type = objects.Composite
		if c.Algorithm == checksum.CRC64NVME {
			c.Type = objects.FullObject
		}
	case objects.Composite, objects.FullObject:
		if c.Type == objects.FullObject && !c.Algorithm.Linear() || c.Type == objects.Composite && c.Algorithm == checksum.CRC64NVME {
			return c, call.Fail("InvalidRequest", 400, "The "+c.Type+" checksum type cannot be used with the "+strings.ToLower(string(c.Algorithm))+" checksum algorithm.")
		}
	default:
		return c, call.Fail("InvalidRequest", 400, "Value for x-amz-checksum-type header is invalid.")
	}
	return c, nil
}

// upload is the upload a request names.
func upload(x *request) (objects.Upload, error) {
	return x.Engine.Upload(x.Bucket.ID, x.Place.Key, x.Query.Get("uploadId"))
}

// partNumber is the number of the part a request is about.
func partNumber(x *request) (int, error) {
	v := x.Query.Get("partNumber")
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > objects.MaxParts {
		return 0, call.InvalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", v)
	}
	return n, nil
}

func uploadPart(x *request) error {
	number, err := partNumber(x)
	if err != nil {
		return err
	}
	if err := x.Plain(); err != nil {
		return err
	}
	if v := x.R.Header.Get("X-Amz-Server-Side-Encryption"); v != "" && v != "AES256" {
		return call.InvalidArgument("x-amz-server-side-encryption header is not supported for this operation.", "x-amz-server-side-encryption", v)
	}
	u, err := upload(x)
	if err != nil {
		return err
	}
	n, err := x.Length()
	if err != nil {
		return err
	}
	if n > objects.MaxPut {
		return call.ErrTooLarge
	}
	key, err := x.PartKey(&u)
	if err != nil {
		return err
	}
	st, sum, err := x.Take(n, key, u.Checksum.Algorithm)
	if err != nil {
		return err
	}
	sum.Type = ""
	p, err := x.Engine.PutPart(x.Bucket.ID, u.Key, u.ID, objects.Part{Number: number, Checksum: sum}, st)
	if err != nil {
		return err
	}
	x.Set("ETag", call.Quoted(p.ETag))
	x.Checksum(p.Checksum)
	x.Encryption(&u.About)
	return x.OK(http.StatusOK)
}

func uploadPartCopy(x *request) error {
	if err := x.Allow("s3:PutObject", x.Place.Key); err != nil {
		return err
	}
	number, err := partNumber(x)
	if err != nil {
		return err
	}
	u, err := upload(x)
	if err != nil {
		return err
	}
	s, err := x.Source()
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Content.Close(); err != nil {
			x.Failed = errors.Join(x.Failed, err)
		}
	}()
	offset, length, err := x.CopySpan(s)
	if err != nil {
		return err
	}
	if length > objects.MaxPut {
		return call.Fail("InvalidRequest", 400, "The specified copy call.Source is larger than the maximum allowable size for a copy call.Source: "+strconv.Itoa(objects.MaxPut))
	}
	if err := s.Unlock(x); err != nil {
		return err
	}
	key, err := x.PartKey(&u)
	if err != nil {
		return err
	}
	a := u.Checksum.Algorithm
	st, err := x.Engine.Stage(x.Ctx, s.Content.Range(offset, length), key, a)
	if err != nil {
		return err
	}
	call.Blind(&st, key)
	sum := objects.Checksum{Algorithm: a, Value: checksum.Encode(st.Sums[a])}
	p, err := x.Engine.PutPart(x.Bucket.ID, u.Key, u.ID, objects.Part{Number: number, Checksum: sum}, st)
	if err != nil {
		return err
	}
	x.Encryption(&u.About)
	return x.Write(call.Copied("CopyPartResult", p.Modified, p.ETag, p.Checksum))
}

type completeInput struct {
	XMLName call.XMLName `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
		call.Checksums
	} `xml:"Part"`
}

type completeResult struct {
	XMLName  call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string
	call.Checksums
}

func completeMultipartUpload(x *request) error {
	f := objects.Finish{Bucket: x.Bucket.ID, Versioning: x.Bucket.Versioning, Key: x.Place.Key, Upload: x.Query.Get("uploadId")}
	if err := readComplete(x, &f); err != nil {
		return err
	}
	v, err := x.Engine.Complete(f)
	if errors.Is(err, objects.ErrChecksum) {
		return call.Fail("BadDigest", 400, "The "+strings.ToLower(string(f.Checksum.Algorithm))+" you specified did not match the calculated checksum.")
	}
	if err != nil {
		return err
	}
	x.Encryption(&v.About)
	x.VersionID(v.ID)
	x.Expiration(&v)
	scheme := "http://"
	if x.R.TLS != nil {
		scheme = "https://"
	}
	return x.Write(completeResult{Location: scheme + x.R.Host + x.R.URL.EscapedPath(), Bucket: x.Bucket.Name, Key: v.Key, ETag: call.Quoted(v.ETag), Checksums: call.ShowChecksum(v.Checksum)})
}

// readComplete reads what is to be put together. The checksum headers are of the
// whole object, not of the document.
func readComplete(x *request, f *objects.Finish) error {
	for name, values := range x.R.Header {
		text, ok := strings.CutPrefix(name, call.ChecksumHeader)
		if a := checksum.Algorithm(strings.ToUpper(text)); ok && a.New() != nil {
			f.Checksum = objects.Checksum{Algorithm: a, Value: values[0]}
			x.R.Header.Del(name)
		}
	}
	x.R.Header.Del("X-Amz-Sdk-Checksum-Algorithm")
	if f.Checksum.Value != "" {
		u, err := upload(x)
		if err != nil {
			return err
		}
		f.Checksum.Type = u.Checksum.Type
	}
	if t := x.R.Header.Get("X-Amz-Checksum-Type"); t != "" {
		u, err := upload(x)
		if err == nil && t != u.Checksum.Type {
			return call.Fail("InvalidRequest", 400, "The upload was created using the "+u.Checksum.Type+" checksum mode. The complete request must use the same checksum mode.")
		}
	}
	if v := x.R.Header.Get("X-Amz-Mp-Object-Size"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return call.Fail("InvalidRequest", 400, "Value for x-amz-mp-object-size header is invalid.")
		}
		f.Size = &n
	}
	var err error
	if f.If, err = x.WriteCondition(); err != nil {
		return err
	}
	var in completeInput
	if err := x.Read(&in); err != nil {
		return err
	}
	if len(in.Parts) == 0 || len(in.Parts) > objects.MaxParts {
		return call.ErrMalformedXML
	}
	for _, part := range in.Parts {
		f.Parts = append(f.Parts, objects.Part{Number: part.PartNumber, ETag: call.Unquote(part.ETag), Checksum: part.Checksums.Get()})
	}
	if f.Checksum.Type == objects.Composite && !strings.Contains(f.Checksum.Value, "-") {
		f.Checksum.Value += "-" + strconv.Itoa(len(f.Parts))
	}
	return nil
}

func abortMultipartUpload(x *request) error {
	if err := x.Engine.Abort(x.Bucket.ID, x.Place.Key, x.Query.Get("uploadId")); err != nil {
		return err
	}
	return x.OK(http.StatusNoContent)
}

type listPartsResult struct {
	XMLName              call.XMLName `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadId             string
	Initiator            call.Initiator
	Owner                call.Owner
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string       `xml:",omitempty"`
	ChecksumType         string       `xml:",omitempty"`
	Parts                []listedPart `xml:"Part"`
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	call.Checksums
}

func listParts(x *request) error {
	u, err := upload(x)
	if err != nil {
		return err
	}
	most, err := x.Number("max-parts", objects.MaxPage)
	if err != nil {
		return err
	}
	after := 0
	if v := x.Query.Get("part-number-marker"); v != "" {
		if after, err = strconv.Atoi(v); err != nil || after < 0 {
			return call.InvalidArgument("Provided part-number-marker not an integer or within integer range", "part-number-marker", v)
		}
	}
	parts, err := x.Engine.Parts(u.ID, after, most+1)
	if err != nil {
		return err
	}
	out := listPartsResult{Bucket: x.Bucket.Name, Key: u.Key, UploadId: u.ID, Initiator: call.Initiator(call.Canonical(u.Account)), Owner: call.Canonical(x.Bucket.Account), StorageClass: call.Class(u.Class),
		PartNumberMarker: after, MaxParts: most, IsTruncated: most > 0 && len(parts) > most, ChecksumAlgorithm: string(u.Checksum.Algorithm), ChecksumType: u.Checksum.Type}
	for _, p := range parts[:min(len(parts), most)] {
		out.Parts = append(out.Parts, listedPart{PartNumber: p.Number, LastModified: call.Stamp(p.Modified), ETag: call.Quoted(p.ETag), Size: p.Size, Checksums: call.ShowChecksum(p.Checksum)})
		out.NextPartNumberMarker = p.Number
	}
	return x.Write(out)
}

package form

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
	"neargate/service/s3/internal/postpolicy"
	"neargate/service/s3/object"
)

// postObject takes a form with a file, which becomes an object: who signed the form's
// policy puts it.
func postObject(x *request) error {
	f, err := read(x)
	if err != nil {
		return err
	}
	defer f.file.Close()
	key, ok := f.get("key")
	if !ok {
		return missing("key")
	}
	policy, err := prove(x, &f)
	if err != nil {
		return err
	}
	switch {
	case key == "":
		return call.Fail("InvalidArgument", 400, "User key must have a length greater than 0.", call.With("ArgumentName", "key"), call.With("ArgumentValue", ""))
	case len(key) > objects.MaxKey:
		return call.Fail("KeyTooLongError", 400, "Your key is too long", call.With("Size", strconv.Itoa(len(key))), call.With("MaxSizeAllowed", "1024"))
	}
	x.Place.Key = key
	if err := f.apply(x); err != nil {
		return err
	}
	if err := x.Allow("s3:PutObject", key); err != nil {
		return err
	}
	least, most, said := int64(0), int64(objects.MaxPut), false
	if policy != nil {
		if a, b, ok := policy.Range(); ok {
			least, most, said = a, min(b, objects.MaxPut), true
		}
	}
	v, err := object.Put(x, func(k objects.DataKey) (objects.Staged, objects.Checksum, error) {
		return x.TakeFrom(io.LimitReader(f.file, most+1), k, checksum.CRC64NVME, func(size int64) error {
			switch {
			case size > most:
				return tooLarge(x, &f, size, most)
			case said && size < least:
				return call.Fail("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size",
					call.With("ProposedSize", strconv.FormatInt(size, 10)), call.With("MinSizeAllowed", strconv.FormatInt(least, 10)))
			}
			return nil
		})
	})
	if err != nil {
		return unreadable(err)
	}
	return answer(x, &f, &v)
}

// unreadable tells a form that ended too early from other failures.
func unreadable(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errMalformed
	}
	return err
}

// patience is how much of a file that is too large is read to tell how large it is.
const patience = 16 << 20

// tooLarge refuses a file of which a size has been read.
func tooLarge(x *request, f *form, size, most int64) error {
	rest, err := io.Copy(io.Discard, io.LimitReader(f.file, patience))
	if size += rest; err != nil || rest == patience {
		size = max(size, x.R.ContentLength)
	}
	return call.Fail("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size",
		call.With("ProposedSize", strconv.FormatInt(size, 10)), call.With("MaxSizeAllowed", strconv.FormatInt(most, 10)))
}

// prove proves who signed the form, and that the form is what they signed; nil for one
// without a signature.
func prove(x *request, f *form) (*postpolicy.Policy, error) {
	if x.Claim != nil {
		return nil, nil // signed as other requests are
	}
	version, err := f.signature()
	if err != nil || version == "" {
		return nil, err
	}
	signed, ok := f.get("policy")
	if !ok {
		return nil, missing("Policy")
	}
	if err := verify(x, f, version, signed); err != nil {
		return nil, err
	}
	return judge(x, f, signed)
}

// postResponse is the answer to a form that asks for status 201.
type postResponse struct {
	XMLName  call.XMLName `xml:"PostResponse"`
	Location string
	Bucket   string
	Key      string
	ETag     string
}

// answer answers as the form asks.
func answer(x *request, f *form, v *objects.Version) error {
	etag, at := call.Quoted(v.ETag), location(x)
	target, ok := f.get("success_action_redirect")
	if !ok {
		target = f.value("redirect")
	}
	if u, err := url.Parse(target); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		x.Set("Location", target+sep+"bucket="+url.QueryEscape(x.Place.Bucket)+"&key="+url.QueryEscape(x.Place.Key)+"&etag="+url.QueryEscape(etag))
		x.Set("Content-Length", "0")
		return x.OK(http.StatusSeeOther)
	}
	x.Set("Location", at)
	switch f.value("success_action_status") {
	case "200":
		return x.OK(http.StatusOK)
	case "201":
		text, err := xml.Marshal(postResponse{Location: at, Bucket: x.Place.Bucket, Key: x.Place.Key, ETag: etag})
		if err != nil {
			return err
		}
		x.Set("Content-Type", "application/xml")
		x.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(text)))
		if err := x.OK(http.StatusCreated); err != nil {
			return err
		}
		if _, err := x.W.Write(append([]byte(xml.Header), text...)); err != nil {
			x.Gone = true
			return err
		}
		return nil
	}
	return x.OK(http.StatusNoContent)
}

// location is the object's URL.
func location(x *request) string {
	scheme := "http://"
	if x.R.TLS != nil {
		scheme = "https://"
	}
	folder := "/"
	if strings.TrimPrefix(x.R.URL.Path, "/") != "" { // the bucket is not in the host's name
		folder = "/" + x.Place.Bucket + "/"
	}
	return scheme + x.R.Host + folder + strings.ReplaceAll(url.QueryEscape(x.Place.Key), "+", "%20")
}

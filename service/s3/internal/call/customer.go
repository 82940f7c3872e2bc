package call

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"

	"neargate/resource/objects"
)

// Headers about keys of customers end alike: those of what is read or written, and those
// of what is copied.
const (
	customerHeader = sseHeader + "-Customer-"
	sourceHeader   = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

// saltLen is how many random bytes begin a proof.
const saltLen = 16

// Refusals of keys of customers.
var (
	errKeyWanted     = Fail("InvalidRequest", 400, "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	errPartKeyWanted = Fail("InvalidRequest", 400, "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	errOtherPartKey  = Fail("InvalidRequest", 400, "The provided encryption parameters did not match the ones used originally.")
	errNoKeyWanted   = Fail("InvalidRequest", 400, "The encryption parameters are not applicable to this object.")
)

// given is the key of the customer's own that a request brings in headers with a
// beginning, nil for none.
func (x *Request) given(headers string) (objects.DataKey, error) {
	h := x.R.Header
	algorithm, key, sum := h.Get(headers+"Algorithm"), h.Get(headers+"Key"), h.Get(headers+"Key-Md5")
	refuse := func(why, name string) (objects.DataKey, error) {
		return nil, InvalidArgument(why, "x-amz-server-side-encryption-customer-"+name, "null")
	}
	const must = "Requests specifying Server Side Encryption with Customer provided keys must provide "
	switch {
	case algorithm == "" && key == "" && sum == "":
		return nil, nil
	case !x.secret():
		return nil, Fail("InvalidRequest", 400, "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.")
	case algorithm != "AES256":
		return refuse(must+"a valid encryption algorithm.", "algorithm")
	case key == "":
		return refuse(must+"an appropriate secret key.", "key")
	case sum == "":
		return refuse(must+"the client calculated MD5 of the secret key.", "key-MD5")
	}
	plain, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(plain) != sha256.Size {
		return refuse("The secret key was invalid for the specified algorithm.", "key")
	}
	if of := md5.Sum(plain); base64.StdEncoding.EncodeToString(of[:]) != sum {
		return refuse("The calculated MD5 hash of the key did not match the hash that was provided.", "key-MD5")
	}
	return plain, nil
}

// secret reports whether nobody but the client and this machine reads the request.
func (x *Request) secret() bool {
	if x.R.TLS != nil {
		return true
	}
	from, err := netip.ParseAddr(x.SourceIP())
	return err == nil && from.IsLoopback()
}

// prove makes what a customer's key is known by again, which tells nothing of it.
func prove(salt []byte, key objects.DataKey) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("customer key\x00"))
	h.Write(salt)
	return h.Sum(salt[:saltLen:saltLen])
}

// proves reports whether a proof was made with the key.
func proves(proof []byte, key objects.DataKey) bool {
	return len(proof) > saltLen && hmac.Equal(prove(proof[:saltLen], key), proof)
}

// byCustomer says of an object that it is encrypted with a customer's key, if its bucket
// lets it.
// Source: Amazon S3 User Guide, "Blocking or unblocking SSE-C for a general purpose bucket".
func (x *Request) byCustomer(key objects.DataKey, a *objects.About) error {
	h := x.R.Header
	if h.Get(sseHeader)+h.Get(sseKeyHeader)+h.Get(sseContextHeader) != "" {
		return InvalidArgument("Server Side Encryption with Customer provided key is incompatible with the encryption method specified", "x-amz-server-side-encryption", h.Get(sseHeader))
	}
	if !x.Bucket.CustomerKeys {
		return errAccessDenied
	}
	a.Encryption = &objects.Encryption{Customer: prove(x.IDs.Bytes(saltLen), key)}
	return nil
}

// customer is the customer's key of content, which the request must bring if and only if
// the content is encrypted with it; nil where it is not.
func (x *Request) customer(a *objects.About, headers string, wanted, other error) (objects.DataKey, error) {
	key, err := x.given(headers)
	e := a.Encryption
	switch own := e != nil && e.Customer != nil; {
	case err != nil:
		return nil, err
	case own && key == nil:
		return nil, wanted
	case own && !proves(e.Customer, key):
		return nil, other
	case !own && key != nil:
		return nil, errNoKeyWanted
	}
	return key, nil
}

// Known refuses whoever asks about content that is encrypted with a customer's key and
// does not bring it.
func (x *Request) Known(a *objects.About) error {
	_, err := x.customer(a, customerHeader, errKeyWanted, errAccessDenied)
	return err
}

package call

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"

	"neargate/auth"
	"neargate/resource/objects"
	"neargate/wire/shape"
)

// Vault encrypts data keys with keys of AWS KMS, for callers and for AWS services that
// the keys' policies let. Refusals are errors of KMS.
type Vault interface {
	Seal(ctx context.Context, service, action, key string, plaintext []byte, context map[string]string) (blob []byte, arn string, err error)
	SealFor(ctx context.Context, a auth.Agent, action, key string, plaintext []byte, context map[string]string) (blob []byte, arn string, err error)
	Open(ctx context.Context, service string, blob []byte, context map[string]string) ([]byte, error)
}

// Headers about encryption.
const (
	sseHeader        = "X-Amz-Server-Side-Encryption"
	sseKeyHeader     = sseHeader + "-Aws-Kms-Key-Id"
	sseContextHeader = sseHeader + "-Context"
	sseBucketHeader  = sseHeader + "-Bucket-Key-Enabled"
)

// ownKey is the key of AWS KMS that encrypts where none is named.
const ownKey = "alias/aws/s3"

// Wanted is how an object is to be encrypted with a key of AWS KMS.
type Wanted struct {
	Key       string // as named
	Context   string // as in the header
	BucketKey bool
}

// wanted is how the request wants an object to be encrypted; nil for Amazon S3's own
// encryption.
func (x *Request) wanted() (*Wanted, error) {
	h := x.R.Header
	w := &Wanted{Key: h.Get(sseKeyHeader), Context: h.Get(sseContextHeader)}
	sse := h.Get(sseHeader)
	if sse != "aws:kms" && (w.Key != "" || w.Context != "") {
		return nil, InvalidArgument("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms", "x-amz-server-side-encryption", sse)
	}
	w.BucketKey = x.Bucket.BucketKey
	if v := h.Get(sseBucketHeader); v != "" {
		var err error
		if w.BucketKey, err = strconv.ParseBool(v); err != nil {
			return nil, InvalidArgument("The value of x-amz-server-side-encryption-bucket-key-enabled must be true or false", "x-amz-server-side-encryption-bucket-key-enabled", v)
		}
	}
	switch {
	case sse == "aws:kms":
	case sse == "" && x.Bucket.Encryption != nil:
		w.Key = x.Bucket.Encryption.Key
	default:
		return nil, nil
	}
	return w, nil
}

// Encrypt decides how an object is to be encrypted, by the request or by the bucket's
// default, says so in a, and returns the key for its content, nil for Amazon S3's own.
func (x *Request) Encrypt(a *objects.About) (objects.DataKey, error) {
	own, err := x.given(customerHeader)
	if err != nil {
		return nil, err
	}
	if own != nil {
		return own, x.byCustomer(own, a)
	}
	w, err := x.wanted()
	if err != nil || w == nil {
		return nil, err
	}
	if err := x.provenForKMS(); err != nil {
		return nil, err
	}
	return x.Generate(w, &x.Bucket, x.Place.Key, a, func(key string, plain []byte, context map[string]string) ([]byte, string, error) {
		return x.Vault.Seal(x.asRegion(&x.Bucket), "s3", "kms:GenerateDataKey", key, plain, context)
	})
}

// provenForKMS refuses whom AWS KMS would not know.
func (x *Request) provenForKMS() error {
	switch {
	case x.Vault == nil:
		return ErrNotImplemented
	case x.Claim == nil && !x.NoAuth:
		return InvalidArgument("Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.", "Authorization", "")
	}
	return nil
}

// asRegion is the request's context for what is done where a bucket is.
func (x *Request) asRegion(b *objects.Bucket) context.Context {
	c := x.Caller
	c.Region = b.Region
	return auth.WithCaller(x.Ctx, c)
}

// Seal has a data key sealed with a key of AWS KMS.
type Seal func(key string, plain []byte, context map[string]string) (blob []byte, arn string, err error)

// Generate makes a key for content and has it sealed.
func (c *Config) Generate(w *Wanted, b *objects.Bucket, key string, a *objects.About, seal Seal) (objects.DataKey, error) {
	e := &objects.Encryption{Context: w.Context, BucketKey: w.BucketKey}
	if w.Key == "" {
		w.Key = ownKey
	}
	context, err := bound(e, b, key)
	if err != nil {
		return nil, InvalidArgument("The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map", "x-amz-server-side-encryption-context", w.Context)
	}
	plain := c.IDs.Bytes(sha256.Size)
	if e.DataKey, e.Key, err = seal(w.Key, plain, context); err != nil {
		return nil, ofKMS(err)
	}
	a.Encryption = e
	return plain, nil
}

// bound is the encryption context of an object: what its writer gave, and the ARN of the
// object, or with a bucket key that of the bucket.
func bound(e *objects.Encryption, b *objects.Bucket, key string) (map[string]string, error) {
	context := map[string]string{}
	if e.Context != "" {
		text, err := base64.StdEncoding.DecodeString(e.Context)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &context); err != nil || context == nil {
			return nil, errors.Join(err, errors.New("s3: no map"))
		}
	}
	if _, given := context["aws:s3:arn"]; !given {
		context["aws:s3:arn"] = objects.BucketARN(b.Region, b.Name)
		if !e.BucketKey {
			context["aws:s3:arn"] += "/" + key
		}
	}
	return context, nil
}

// PartKey is the key for the parts of an upload, nil for Amazon S3's own, if the caller may
// use the KMS key that encrypts them, or brings the customer's.
func (x *Request) PartKey(u *objects.Upload) (objects.DataKey, error) {
	own, err := x.customer(&u.About, customerHeader, errPartKeyWanted, errOtherPartKey)
	if own != nil || err != nil {
		return own, err
	}
	return x.dataKey(&u.About, &x.Bucket, u.Key)
}

// dataKey is the key of content that is in a bucket under a key, nil for Amazon S3's own,
// if the caller may use the KMS key that it is encrypted with.
func (x *Request) dataKey(a *objects.About, b *objects.Bucket, key string) (objects.DataKey, error) {
	if a.Encryption == nil {
		return nil, nil
	}
	if err := x.provenForKMS(); err != nil {
		return nil, err
	}
	return x.Reveal(x.asRegion(b), a.Encryption, b, key)
}

// Reveal decrypts the key of content as the caller of the context.
func (c *Config) Reveal(ctx context.Context, e *objects.Encryption, b *objects.Bucket, key string) (objects.DataKey, error) {
	switch {
	case e.Customer != nil:
		return nil, errKeyWanted
	case c.Vault == nil:
		return nil, ErrNotImplemented
	}
	context, err := bound(e, b, key)
	if err != nil {
		return nil, err
	}
	plain, err := c.Vault.Open(ctx, "s3", e.DataKey, context)
	return plain, ofKMS(err)
}

// Unlock makes content readable for the caller.
func (x *Request) Unlock(c objects.Content, b *objects.Bucket) error {
	return x.unlock(c, b, customerHeader)
}

// Unlock makes the source of a copy readable for the caller.
func (s *Source) Unlock(x *Request) error { return x.unlock(s.Content, &s.Bucket, sourceHeader) }

func (x *Request) unlock(c objects.Content, b *objects.Bucket, headers string) error {
	v := c.Version()
	k, err := x.customer(&v.About, headers, errKeyWanted, errAccessDenied)
	if err == nil && k == nil {
		k, err = x.dataKey(&v.About, b, v.Key)
	}
	if err == nil && k != nil {
		c.Unlock(k)
	}
	return err
}

// ofKMS words a refusal of AWS KMS as Amazon S3 does.
func ofKMS(err error) error {
	e, ok := errors.AsType[*shape.Error](err)
	switch {
	case !ok:
		return err
	case e.Code == "AccessDeniedException":
		return Fail("AccessDenied", 403, e.Message)
	}
	return Fail("KMS."+e.Code, 400, e.Message)
}

// Encryption gives the answer the headers that tell how an object is encrypted.
func (x *Request) Encryption(a *objects.About) {
	e := a.Encryption
	if e == nil {
		x.Set("x-amz-server-side-encryption", "AES256")
		return
	}
	if e.Customer != nil {
		if sum := x.R.Header.Get(customerHeader + "Key-Md5"); sum != "" {
			x.Set("x-amz-server-side-encryption-customer-algorithm", "AES256")
			x.Set("x-amz-server-side-encryption-customer-key-MD5", sum)
		}
		return
	}
	x.Set("x-amz-server-side-encryption", "aws:kms")
	x.Set("x-amz-server-side-encryption-aws-kms-key-id", e.Key)
	if e.BucketKey {
		x.Set("x-amz-server-side-encryption-bucket-key-enabled", "true")
	}
	if x.R.Header.Get(sseContextHeader) != "" {
		x.Set("x-amz-server-side-encryption-context", e.Context)
	}
}

// Blind makes the ETag of encrypted content something that tells nothing of it.
func Blind(st *objects.Staged, k objects.DataKey) {
	if k != nil {
		h := hmac.New(sha256.New, k)
		h.Write(st.MD5)
		st.MD5 = h.Sum(nil)[:len(st.MD5)]
	}
}

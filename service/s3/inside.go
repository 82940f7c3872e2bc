package s3

import (
	"context"
	"errors"
	"io"

	"neargate/auth"
	"neargate/internal/checksum"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
	"neargate/store"
	"neargate/store/tables/buckets"
)

// Inside is Amazon S3 for the parts of neargate itself: the same buckets, and the
// same permissions, without a request.
type Inside struct{ cfg *Config }

// Inside is how parts of neargate use the server's buckets.
func (s *Server) Inside() Inside { return Inside{&s.cfg} }

// Agent is an AWS service that acts for a resource of an account.
type Agent = auth.Agent

// Wanted is how an object is to be encrypted with a key of AWS KMS.
type Wanted = call.Wanted

// What Inside refuses. Refusals of AWS KMS are a Refusal.
var (
	ErrNoBucket = errors.New("s3: no such bucket")
	ErrNoObject = errors.New("s3: no such object")
	ErrDenied   = errors.New("s3: access denied")
)

// Refusal is the code of a refusal, such as KMS.DisabledException; "" for an error that is
// none.
func Refusal(err error) string {
	if f, ok := errors.AsType[*call.Failure](err); ok {
		return f.Code
	}
	return ""
}

// Bucket finds a bucket.
func (i Inside) Bucket(ctx context.Context, name string) (b objects.Bucket, err error) {
	err = i.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
		b, err = buckets.Buckets.Get(tx, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoBucket
	}
	return b, err
}

// Get opens an object, or a version where an id is given, as a caller. The error is
// ErrNoBucket, ErrNoObject, ErrDenied or a failure.
func (i Inside) Get(ctx context.Context, c auth.Caller, bucket, key, id string) (objects.Content, error) {
	b, err := i.Bucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	action := "s3:GetObject"
	if id != "" {
		action = "s3:GetObjectVersion"
	}
	if err := i.allow(ctx, c, &b, action, key); err != nil {
		return nil, err
	}
	content, err := i.cfg.Engine.Open(b.ID, key, id)
	switch {
	case errors.Is(err, objects.ErrNoKey), errors.Is(err, objects.ErrNoVersion):
		if err := i.allow(ctx, c, &b, "s3:ListBucket", ""); err != nil {
			return nil, err
		}
		return nil, ErrNoObject
	case err != nil:
		return nil, err
	case content.Version().Marker:
		return nil, errors.Join(ErrNoObject, content.Close())
	}
	if e := content.Version().Encryption; e != nil {
		c.Region = b.Region
		k, err := i.cfg.Reveal(auth.WithCaller(ctx, c), e, &b, key)
		if err != nil {
			return nil, errors.Join(err, content.Close())
		}
		content.Unlock(k)
	}
	return content, nil
}

// Put writes an object as a caller.
func (i Inside) Put(ctx context.Context, c auth.Caller, bucket, key string, about objects.About, from io.Reader) (objects.Version, error) {
	b, err := i.Bucket(ctx, bucket)
	if err != nil {
		return objects.Version{}, err
	}
	if err := i.allow(ctx, c, &b, "s3:PutObject", key); err != nil {
		return objects.Version{}, err
	}
	c.Region = b.Region
	return i.put(ctx, objects.Write{Key: key, About: about}, &b, nil, from, func(k string, plain []byte, context map[string]string) ([]byte, string, error) {
		return i.cfg.Vault.Seal(auth.WithCaller(ctx, c), "s3", "kms:GenerateDataKey", k, plain, context)
	})
}

// PutFor writes an object as an AWS service, if the bucket's policy lets it.
func (i Inside) PutFor(ctx context.Context, a Agent, bucket, key string, about objects.About, from io.Reader) (objects.Version, error) {
	b, err := i.Bucket(ctx, bucket)
	if err != nil {
		return objects.Version{}, err
	}
	if err := may(a, &b, "s3:PutObject", key); err != nil {
		return objects.Version{}, err
	}
	return i.put(ctx, objects.Write{Key: key, About: about}, &b, nil, from, i.sealFor(ctx, a))
}

// sealFor has data keys sealed for an AWS service.
func (i Inside) sealFor(ctx context.Context, a Agent) call.Seal {
	return func(k string, plain []byte, context map[string]string) ([]byte, string, error) {
		return i.cfg.Vault.SealFor(ctx, a, "kms:GenerateDataKey", k, plain, context)
	}
}

// PutNewFor writes an object as PutFor does, encrypted as the service wants, nil for the
// bucket's default, unless there is one with the key; then it does nothing.
func (i Inside) PutNewFor(ctx context.Context, a Agent, bucket, key string, about objects.About, w *Wanted, from io.Reader) error {
	b, err := i.Bucket(ctx, bucket)
	if err != nil {
		return err
	}
	if err := may(a, &b, "s3:PutObject", key); err != nil {
		return err
	}
	_, err = i.put(ctx, objects.Write{Key: key, About: about, If: objects.Condition{IfNoneMatch: true}}, &b, w, from, i.sealFor(ctx, a))
	if errors.Is(err, objects.ErrCondition) {
		err = nil
	}
	return err
}

// MayFor answers nil when a bucket's policy lets an AWS service do something with
// the bucket, or with a key in it, which may be empty.
func (i Inside) MayFor(ctx context.Context, a Agent, bucket, action, key string) error {
	b, err := i.Bucket(ctx, bucket)
	if err != nil {
		return err
	}
	return may(a, &b, action, key)
}

func may(a Agent, b *objects.Bucket, action, key string) error {
	resource := objects.BucketARN(b.Region, b.Name)
	if key != "" {
		resource += "/" + key
	}
	ok, err := auth.ServiceMayUse(b.Policy, a.Service, action, resource, a.Account, a.Source)
	if err == nil && !ok {
		err = ErrDenied
	}
	return err
}

func (i Inside) allow(ctx context.Context, c auth.Caller, b *objects.Bucket, action, key string) error {
	resource := objects.BucketARN(b.Region, b.Name)
	if key != "" {
		resource += "/" + key
	}
	err := i.cfg.Store.View(ctx, func(tx store.Tx) error {
		return i.cfg.Auth.Allow(tx, c, auth.Use{Action: action, Resource: resource, On: auth.Resource{Account: b.Account, Policy: b.Policy}})
	})
	if _, denied := errors.AsType[*auth.Denied](err); denied {
		return errors.Join(ErrDenied, err)
	}
	return err
}

// put writes an object, encrypted as wanted, nil for the bucket's default.
func (i Inside) put(ctx context.Context, w objects.Write, b *objects.Bucket, want *Wanted, from io.Reader, seal call.Seal) (v objects.Version, err error) {
	if w.Key == "" || len(w.Key) > objects.MaxKey {
		return v, call.Fail("KeyTooLongError", 400, "Your key is too long")
	}
	if want == nil && b.Encryption != nil {
		want = &Wanted{Key: b.Encryption.Key, BucketKey: b.BucketKey}
	}
	var k objects.DataKey
	if want != nil {
		if i.cfg.Vault == nil {
			return v, call.ErrNotImplemented
		}
		if k, err = i.cfg.Generate(want, b, w.Key, &w.About, seal); err != nil {
			return v, err
		}
	}
	st, err := i.cfg.Engine.Stage(ctx, from, k, checksum.CRC64NVME)
	if err != nil {
		return v, err
	}
	call.Blind(&st, k)
	w.Bucket, w.Versioning = b.ID, b.Versioning
	w.Checksum = objects.Checksum{Algorithm: checksum.CRC64NVME, Value: checksum.Encode(st.Sums[checksum.CRC64NVME]), Type: objects.FullObject}
	return i.cfg.Engine.Put(w, st)
}

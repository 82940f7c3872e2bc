package kms

import (
	"context"
	"errors"

	"neargate/auth"
	"neargate/resource/key"
	"neargate/store"
	"neargate/store/tables/keys"
	"neargate/wire/shape"
)

// Seal encrypts something that another service, such as ssm, stores for the caller,
// who needs the permission for the action, such as kms:Encrypt, on the key. The key
// is named in any way; alias/aws/SERVICE is made on first use. Refusals are errors
// of KMS.
func (s *Service) Seal(ctx context.Context, service, action, text string, plaintext []byte, context map[string]string) (blob []byte, keyARN string, err error) {
	k, err := s.get(ctx, text)
	if err != nil {
		return nil, "", err
	}
	if err := s.permit(ctx, service, action, &k, context); err != nil {
		return nil, k.ARN(), err
	}
	if err := usable(&k); err != nil {
		return nil, k.ARN(), err
	}
	blob, err = s.encrypt(&k, plaintext, context)
	return blob, k.ARN(), err
}

// Open decrypts what Seal encrypted, for a caller who needs kms:Decrypt on the key.
func (s *Service) Open(ctx context.Context, service string, blob []byte, context map[string]string) ([]byte, error) {
	c := auth.CallerFrom(ctx)
	b, ok := key.ParseBlob(blob)
	if !ok {
		return nil, errors.New("kms: a stored ciphertext is malformed")
	}
	var k key.Key
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		k, ok, err = keys.Keys.Find(tx, b.Account, c.Region, b.ID)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, unknownCiphertext()
	}
	err = s.permit(ctx, service, "kms:Decrypt", &k, context)
	if shape.IsCode(err, "AccessDeniedException") {
		err = unknownCiphertext()
	}
	if err != nil {
		return nil, err
	}
	if err := usable(&k); err != nil {
		return nil, err
	}
	plaintext, _, err := s.decrypt(&k, &b, context)
	return plaintext, err
}

// permit asks whether the caller may use a key through a service.
func (s *Service) permit(ctx context.Context, service, action string, k *key.Key, context map[string]string) error {
	c := auth.CallerFrom(ctx).ByService()
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		u, err := auth.UseKey(tx, c, service, action, k, context)
		if err != nil {
			return err
		}
		return auth.Allow(tx, c, s.deps.Now(), u)
	})
	if denied, ok := errors.AsType[*auth.Denied](err); ok {
		return refused(denied)
	}
	return err
}

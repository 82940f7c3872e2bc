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

// MayUse answers the ARN of a key if an AWS service that acts for a resource of an account
// may use it with an encryption context; a refusal is an error of KMS.
func (s *Service) MayUse(ctx context.Context, a auth.Agent, action, text string, context map[string]string) (string, error) {
	k, err := s.forAgent(ctx, a, action, text, context)
	return k.ARN(), err
}

// forAgent finds a key that an AWS service may use. A key that is not given by ARN is one
// of the account that it acts for.
func (s *Service) forAgent(ctx context.Context, a auth.Agent, action, text string, context map[string]string) (key.Key, error) {
	k, err := s.get(auth.WithCaller(ctx, auth.Caller{Account: a.Account, Region: a.Region}), text)
	if err != nil {
		return k, err
	}
	ok, err := a.MayUseKey(&k, action, context)
	if err == nil && !ok {
		err = refused(&auth.Denied{Caller: a.Service, Action: action, Resource: k.ARN(), Reason: "because no resource-based policy allows the " + action + " action"})
	}
	if err == nil {
		err = usable(&k)
	}
	return k, err
}

// SealFor encrypts something for an AWS service that acts for a resource of an account, if
// the key's policy lets it.
func (s *Service) SealFor(ctx context.Context, a auth.Agent, action, text string, plaintext []byte, context map[string]string) (blob []byte, keyARN string, err error) {
	k, err := s.forAgent(ctx, a, action, text, context)
	if err != nil {
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

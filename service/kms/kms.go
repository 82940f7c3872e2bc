// Package kms answers AWS Key Management Service: symmetric encryption keys with
// aliases, grants, key policies, rotation and deletion, and what they encrypt.
package kms

import (
	"context"
	"errors"
	"strconv"
	"time"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/internal/seal"
	"neargate/resource/key"
	"neargate/service"
	"neargate/service/internal/member"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/keys"
	"neargate/wire/shape"
)

// Service is the KMS API.
type Service struct {
	deps   service.Deps
	master [32]byte
	pages  *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the KMS API. The material of keys is stored only as sealed under the
// installation's master key.
func New(d service.Deps, master [32]byte) *Service {
	return &Service{deps: d, master: master, pages: page.NewSealer(d.TokenKey)}
}

// mint makes new material for a key.
func (s *Service) mint(k *key.Key, rotation string) key.Material {
	return k.Mint(s.deps.IDs, rotation, s.now(), seal.Sealer(s.master, s.deps.IDs.Bytes))
}

// open unseals material of the key.
func (s *Service) open(k *key.Key, m *key.Material) (out [32]byte, err error) {
	b, err := seal.Open(s.master, m.Sealed, k.Bound(m.ID))
	if err == nil && len(b) != len(out) {
		err = seal.ErrOpen
	}
	copy(out[:], b)
	return out, err
}

// ErrMaster reports that the stored keys are sealed under another master key.
var ErrMaster = errors.New("kms: the keys in the store are sealed under another master key: restore kms.key to the data directory")

// Check answers ErrMaster when the master key does not open the keys in the store.
func (s *Service) Check(ctx context.Context) error {
	return s.deps.Store.View(ctx, func(tx store.Tx) error {
		for k, err := range keys.Keys.Page(tx, nil, nil, 1) {
			if err != nil {
				return err
			}
			if _, err := s.open(&k, k.Current()); err != nil {
				return ErrMaster
			}
		}
		return nil
	})
}

// now is the time in the precision of KMS.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Millisecond) }

// reference reads how a request names a key. Aliases are taken where the
// operation accepts them, keys of other accounts where it does.
func reference(c auth.Caller, text string, aliases, foreign bool) (key.Reference, error) {
	r, ok := key.Parse(text, c.Account, c.Region)
	switch {
	case !ok && arn.Is(text):
		return r, api.InvalidArnException("Invalid arn " + text)
	case !ok:
		return r, api.NotFoundException("Invalid keyId '" + text + "'")
	case r.Region != c.Region:
		return r, api.NotFoundException("Invalid arn " + r.Region)
	case r.Alias != "" && !aliases:
		return r, api.InvalidArnException("Key Aliases are not supported for this operation.")
	case r.Account != c.Account && !foreign:
		return r, missing(r)
	}
	return r, nil
}

// missing says that there is no such key or alias.
func missing(r key.Reference) error {
	if r.Alias != "" {
		return api.NotFoundException("Alias " + key.AliasARN(r.Account, r.Region, r.Alias) + " is not found.")
	}
	return api.NotFoundException("Key '" + key.ARN(r.Account, r.Region, r.ID) + "' does not exist")
}

func find(tx store.Tx, r key.Reference) (key.Key, error) {
	k, ok, err := keys.Resolve(tx, r)
	if err == nil && !ok {
		err = missing(r)
	}
	return k, err
}

// own finds a key of the caller's account that is not given by an alias.
func own(ctx context.Context, tx store.Tx, text string) (key.Key, error) {
	r, err := reference(auth.CallerFrom(ctx), text, false, false)
	if err != nil {
		return key.Key{}, err
	}
	return find(tx, r)
}

// change lets f change a key of the caller's account and stores it.
func (s *Service) change(ctx context.Context, text string, f func(*key.Key) error) (key.Key, error) {
	var k key.Key
	err := s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if k, err = own(ctx, tx, text); err != nil {
			return err
		}
		if err := f(&k); err != nil {
			return err
		}
		return keys.Keys.Put(tx, &k)
	})
	return k, err
}

// usable refuses a key that is disabled or about to be deleted.
func usable(k *key.Key) error {
	if k.State == key.Disabled {
		return api.DisabledException(k.ARN() + " is disabled.")
	}
	return living(k)
}

// living refuses a key that is about to be deleted.
func living(k *key.Key) error {
	if k.State == key.PendingDeletion {
		return api.KMSInvalidStateException(k.ARN() + " is pending deletion.")
	}
	return nil
}

// customers refuses to change a key that AWS manages.
func customers(ctx context.Context, k *key.Key, operation string) error {
	if k.Manager != key.AWS {
		return nil
	}
	c := auth.CallerFrom(ctx)
	return shape.Errorf("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s because no resource-based policy allows the kms:%[2]s action", c.ARN, operation, k.ARN())
}

// defaultLimit is the size of a page when the request does not say.
const defaultLimit = 100

// marker opens a pagination marker. The scope to seal the next one with is given
// back.
func (s *Service) marker(ctx context.Context, marker *string, scope ...string) (after string, _ []string, err error) {
	c := auth.CallerFrom(ctx)
	scope = append([]string{"kms", c.Account, c.Region}, scope...)
	if marker == nil {
		return "", scope, nil
	}
	after, err = s.pages.Open(*marker, scope...)
	if errors.Is(err, page.ErrBad) {
		err = api.InvalidMarkerException("Invalid marker")
	}
	return after, scope, err
}

// cut is a page of things that are all at hand: those after the position, and the
// marker of the next page.
func cut[T any](s *Service, all []T, after string, limit *int32, scope []string) (out []T, next *string, more *bool, err error) {
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil || from > len(all) {
			return nil, nil, nil, api.InvalidMarkerException("Invalid marker")
		}
	}
	to := min(len(all), from+int(member.Or(limit, defaultLimit)))
	more = new(to < len(all))
	if *more {
		next = new(s.pages.Seal(strconv.Itoa(to), scope...))
	}
	return append([]T{}, all[from:to]...), next, more, nil
}

// refused is a denial in the words of KMS.
func refused(d *auth.Denied) error { return shape.Errorf("AccessDeniedException", "%s", d.Error()) }

// Package signer answers AWS Signer: signing profiles on the platform of container
// images, the signatures of the Notary Project that are made with them, and what was
// revoked.
package signer

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/signer"
	"neargate/internal/seal"
	"neargate/resource/signing"
	"neargate/service"
	"neargate/service/internal/member"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/signings"
)

// Service is the Signer API.
type Service struct {
	deps   service.Deps
	master [32]byte
	pages  *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Signer API. Private keys are stored only as sealed under the
// installation's master key.
func New(d service.Deps, master [32]byte) *Service {
	return &Service{deps: d, master: master, pages: page.NewSealer(d.TokenKey)}
}

// now is the time in the precision of signatures.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Second) }

// seal encrypts a private key, bound to a context.
func (s *Service) seal(key, context []byte) []byte {
	return seal.Seal(s.master, s.deps.IDs.Bytes(seal.Random), key, context)
}

func noProfile(name string) error {
	return api.ResourceNotFoundException("profile with name " + name + " does not exist")
}

// find is a profile of an account in the caller's region: the caller's own unless owner
// names another.
func find(ctx context.Context, tx store.Tx, owner *string, name string) (signing.Profile, error) {
	c := auth.CallerFrom(ctx)
	p, ok, err := signings.Profiles.Find(tx, member.Or(owner, c.Account), c.Region, name)
	if err == nil && !ok {
		err = noProfile(name)
	}
	return p, err
}

// view reads a profile.
func (s *Service) view(ctx context.Context, owner *string, name string) (p signing.Profile, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		p, err = find(ctx, tx, owner, name)
		return err
	})
	return p, err
}

// change lets f change a profile of the caller's account and stores it.
func (s *Service) change(ctx context.Context, name string, f func(*signing.Profile) error) (p signing.Profile, err error) {
	err = s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if p, err = find(ctx, tx, nil, name); err != nil {
			return err
		}
		if err := f(&p); err != nil {
			return err
		}
		return signings.Profiles.Put(tx, &p)
	})
	return p, err
}

// usable refuses a profile that no longer signs.
func usable(p *signing.Profile) error {
	if p.Status == signing.Active {
		return nil
	}
	return api.ValidationException(ended(p))
}

// ended says that a profile no longer signs.
func ended(p *signing.Profile) string {
	return "Signing profile " + p.Name + " is " + strings.ToLower(p.Status) + "."
}

// mostResults is the size of a page that a request does not limit, and at most.
const mostResults = 25

// position is where a page begins: what the request's token says, "" at the start. The
// scope to seal the next token with is given back.
func (s *Service) position(ctx context.Context, token *string, scope ...string) (after string, _ []string, err error) {
	c := auth.CallerFrom(ctx)
	scope = append([]string{"signer", c.Account, c.Region}, scope...)
	if token == nil {
		return "", scope, nil
	}
	after, err = s.pages.Open(*token, scope...)
	if errors.Is(err, page.ErrBad) {
		err = api.ValidationException("Invalid value for nextToken.")
	}
	return after, scope, err
}

// gather is a page of a listing, of at most limit of the records that show keeps. last
// is the position of the last one, "" where no more follow.
func gather[T, S any](all iter.Seq2[T, error], limit int, position func(*T) string, show func(*T) (S, bool)) (out []S, last string, err error) {
	out = []S{}
	at := ""
	for r, err := range all {
		if err != nil {
			return nil, "", err
		}
		shown, ok := show(&r)
		if !ok {
			continue
		}
		if len(out) == limit {
			return out, at, nil
		}
		out, at = append(out, shown), position(&r)
	}
	return out, "", nil
}

// next is the token of the page after a position, nil for "".
func (s *Service) next(last string, scope []string) *string {
	if last == "" {
		return nil
	}
	return new(s.pages.Seal(last, scope...))
}

// some points to a text, nil for "".
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
)

// TokenFor is how long an authorization token can be used.
// Source: Amazon ECR API Reference, GetAuthorizationToken.
const TokenFor = 12 * time.Hour

// User is the name that goes with an authorization token.
const User = "AWS"

// Why a password is not taken.
var (
	ErrBadToken     = errors.New("ecr: no authorization token of this installation")
	ErrExpiredToken = errors.New("ecr: the authorization token has expired")
)

// Tokens makes and reads the passwords in authorization tokens. A password carries
// who it was made for and until when, sealed with the installation's key; nothing
// is stored.
type Tokens struct {
	seal  *page.Sealer
	store store.Store
	now   func() time.Time
}

// NewTokens returns the tokens of an installation.
func NewTokens(d service.Deps) *Tokens { return &Tokens{page.NewSealer(d.TokenKey), d.Store, d.Now} }

// password is what is sealed.
type password struct {
	Who     auth.Lasting
	Region  string
	Expires time.Time
}

// Make returns a password for the caller, for the region they called.
func (t *Tokens) Make(tx store.Tx, c auth.Caller) (text string, expires time.Time, err error) {
	who, err := c.Lasting(tx)
	if err != nil {
		return "", expires, err
	}
	expires = t.now().Add(TokenFor).UTC().Truncate(time.Millisecond)
	b, err := json.Marshal(password{who, c.Region, expires})
	return t.seal.Seal(string(b), "ecr", "token"), expires, err
}

// Read is who a password was made for, in the region it was made for. The error is
// ErrBadToken, also when they are gone, or ErrExpiredToken.
func (t *Tokens) Read(ctx context.Context, text string) (c auth.Caller, err error) {
	b, err := t.seal.Open(text, "ecr", "token")
	if err != nil {
		return c, ErrBadToken
	}
	var p password
	if err := json.Unmarshal([]byte(b), &p); err != nil {
		return c, ErrBadToken
	}
	if !t.now().Before(p.Expires) {
		return c, ErrExpiredToken
	}
	err = t.store.View(ctx, func(tx store.Tx) error {
		c, err = p.Who.Caller(tx)
		return err
	})
	if errors.Is(err, auth.ErrUnknownKey) || errors.Is(err, auth.ErrInactiveKey) {
		err = ErrBadToken
	}
	c.Region = p.Region
	return c, err
}

// GetAuthorizationToken answers a user and password for registries.
func (s *Service) GetAuthorizationToken(ctx context.Context, in *api.GetAuthorizationTokenInput) (*api.GetAuthorizationTokenOutput, error) {
	c := auth.CallerFrom(ctx)
	ids := in.RegistryIds
	if len(ids) == 0 {
		ids = []string{c.Account}
	}
	out := &api.GetAuthorizationTokenOutput{}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		text, expires, err := s.tokens.Make(tx, c)
		if err != nil {
			return err
		}
		token := base64.StdEncoding.EncodeToString([]byte(User + ":" + text))
		for _, id := range ids {
			out.AuthorizationData = append(out.AuthorizationData, api.AuthorizationData{
				AuthorizationToken: &token, ExpiresAt: &expires, ProxyEndpoint: new("https://" + image.Host(id, c.Region)),
			})
		}
		return nil
	})
	return out, err
}

package call

import (
	"errors"

	"neargate/arn"
	"neargate/auth"
	"neargate/wire/sigv4"
)

// Become makes the request one of the key's owner.
func (x *Request) Become(key sigv4.Key) {
	c := key.Principal.(auth.Caller)
	c.Region, c.Partition = x.Region, arn.Partition(x.Region)
	c.RequestID, c.SourceIP, c.UserAgent, c.Host, c.Secure, c.Via = x.ID, x.SourceIP(), x.R.UserAgent(), x.R.Host, x.R.TLS != nil, auth.ViaOf(x.Ctx)
	x.Caller = c
	x.Ctx = auth.WithCaller(x.Ctx, c)
}

// Lookup finds a key that is claimed elsewhere than in a signature of version 4.
func (x *Request) Lookup(id, token string) (sigv4.Key, error) {
	key, err := x.Keys.Key(x.Ctx, id, token)
	switch {
	case errors.Is(err, sigv4.ErrUnknownKey):
		return key, Fail("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.", Element{"AWSAccessKeyId", id})
	case errors.Is(err, sigv4.ErrBadToken):
		return key, &sigv4.Error{Reason: sigv4.BadToken}
	case errors.Is(err, sigv4.ErrExpiredToken):
		return key, &sigv4.Error{Reason: sigv4.ExpiredToken}
	}
	return key, err
}

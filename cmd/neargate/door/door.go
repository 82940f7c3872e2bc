// Package door tells the wire who is calling and whether they may: by the stored
// identities and policies, with refusals in each service's words.
package door

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/resource/identity"
	"neargate/wire"
	"neargate/wire/shape"
	"neargate/wire/sigv4"
)

// Keys lets the front door look access keys up in the directory.
type Keys struct{ Directory *auth.Directory }

// Key implements sigv4.Keys.
func (k Keys) Key(ctx context.Context, accessKeyID, sessionToken string) (sigv4.Key, error) {
	c, err := k.Directory.Lookup(ctx, accessKeyID, sessionToken)
	switch {
	case errors.Is(err, auth.ErrUnknownKey), errors.Is(err, auth.ErrInactiveKey):
		return sigv4.Key{}, sigv4.ErrUnknownKey
	case errors.Is(err, auth.ErrBadToken):
		return sigv4.Key{}, sigv4.ErrBadToken
	case errors.Is(err, auth.ErrExpiredToken):
		return sigv4.Key{}, sigv4.ErrExpiredToken
	case err != nil:
		return sigv4.Key{}, err
	}
	return sigv4.Key{Secret: c.Secret, Account: c.Caller.Account, Principal: c.Caller}, nil
}

// Anyone is Keys for --no-auth: whoever is not known is the root user of the
// first account.
type Anyone struct{ Keys }

// Key implements sigv4.Keys.
func (a Anyone) Key(ctx context.Context, accessKeyID, sessionToken string) (sigv4.Key, error) {
	k, err := a.Keys.Key(ctx, accessKeyID, sessionToken)
	if errors.Is(err, sigv4.ErrUnknownKey) {
		id := arn.DefaultAccount
		return sigv4.Key{Account: id, Principal: auth.Caller{
			Account: id, ARN: identity.RootARN(id), UserID: id, AccessKeyID: accessKeyID,
		}}, nil
	}
	return k, err
}

// Gate attaches the proven caller to a call and lets it pass if policies do.
type Gate struct{ Directory *auth.Directory }

// Admit implements wire.Gate.
func (g Gate) Admit(ctx context.Context, r wire.Request) (context.Context, error) {
	c, _ := r.Principal.(auth.Caller) // nobody where an operation needs no signature
	c.Region, c.Partition = r.Region, arn.Partition(r.Region)
	c.RequestID, c.SourceIP, c.UserAgent, c.Host, c.Secure, c.Via = r.ID, r.SourceIP, r.UserAgent, r.Host, r.Secure, auth.ViaOf(ctx)
	err := g.Directory.Authorize(ctx, c, auth.Call{Service: r.Service, Operation: r.Operation, Input: r.Input})
	var denied *auth.Denied
	if errors.As(err, &denied) {
		return nil, refusal(r.Service, denied)
	}
	if errors.Is(err, auth.ErrNotForSessions) {
		return nil, shape.NewError("InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid")
	}
	return auth.WithCaller(ctx, c), err
}

// refusal is a denied call in the service's own words. The services of awsJson answer
// it with HTTP 400, whatever their models say, as recorded.
func refusal(service string, d *auth.Denied) error {
	switch service {
	case "ec2":
		return shape.NewError("UnauthorizedOperation", http.StatusForbidden, "You are not authorized to perform this operation. "+d.Error())
	case "iam", "sts":
		return shape.NewError("AccessDenied", http.StatusForbidden, d.Error())
	case "signer":
		return shape.NewError("AccessDeniedException", http.StatusForbidden, d.Error())
	case "route53": // which names no resource where the action has none
		return shape.NewError("AccessDenied", http.StatusForbidden, strings.Replace(d.Error(), " on resource: * ", " ", 1))
	}
	e := shape.NewError("AccessDeniedException", http.StatusBadRequest, d.Error())
	if service == "ecr" {
		e.Member = "Message"
	}
	return e
}

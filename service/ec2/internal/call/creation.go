package call

import (
	"strings"
	"time"

	"neargate/resource/network"
	"neargate/store/tables/tokens"
	"neargate/wire/shape"
)

// Creation is a request to create something that is answered once only for each
// client token, also after what it created is gone.
type Creation struct {
	Token                     string // "" for none
	operation, key, arguments string
	at                        time.Time
}

// CreationOf reads the client token of an operation's request. What the request
// asks for is identified by arguments, in a form that JSON can hold.
func CreationOf(token *string, operation string, now time.Time, arguments ...any) (c Creation, err error) {
	c.operation, c.at = operation, now
	if c.Token, c.key, err = Token(token); err != nil {
		return c, err
	}
	c.arguments, err = Hash(arguments...)
	return c, err
}

// Replayed finds what an earlier request with the token created and the tags that
// it gave; ok is false when there was none.
func Replayed[R any](sc Scope, c Creation, kind Kind[R]) (r R, tags []network.Tag, ok bool, err error) {
	if c.Token == "" {
		return r, nil, false, nil
	}
	old, found, err := c.find(sc)
	if err != nil || !found {
		return r, nil, false, err
	}
	account, region := sc.Tenant()
	r, ok, err = kind.Table.Find(sc.Tx, account, region, old.Resource)
	if err == nil && !ok {
		err = shape.Errorf("IdempotentParameterMismatch", "An error occurred (IdempotentParameterMismatch) when calling this operation: "+
			"The client token and arguments used in this request were used in a prior request that was associated with a resource which is now deleted.")
	}
	return r, old.Tags, ok, err
}

// find is what an earlier request with the token and the same arguments created.
func (c Creation) find(sc Scope) (old network.Creation, found bool, err error) {
	account, region := sc.Tenant()
	old, found, err = tokens.Creations.Find(sc.Tx, account, region, c.operation, c.key)
	if err != nil || !found || c.at.Sub(old.At) > network.TokenLife {
		return old, false, err
	}
	if old.Arguments != c.arguments {
		return old, false, Mismatch(c.Token)
	}
	return old, true, nil
}

// Made are the ids of what an earlier request with the token created, where one
// request creates several.
func (c Creation) Made(sc Scope) (ids []string, found bool, err error) {
	if c.Token == "" {
		return nil, false, nil
	}
	old, found, err := c.find(sc)
	if err != nil || !found {
		return nil, false, err
	}
	return strings.Split(old.Resource, ","), true, nil
}

// RememberAll is Remember for several resources.
func (c Creation) RememberAll(sc Scope, resources []string) error {
	return c.Remember(sc, strings.Join(resources, ","), nil)
}

// Remember records that the request created the resource.
func (c Creation) Remember(sc Scope, resource string, tags []network.Tag) error {
	if c.Token == "" {
		return nil
	}
	account, region := sc.Tenant()
	return tokens.Put(sc.Tx, &network.Creation{
		Account: account, Region: region, Operation: c.operation, Token: c.key,
		Arguments: c.arguments, Resource: resource, Tags: tags, At: c.at,
	})
}

package call

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"neargate/resource/network"
	"neargate/store/tables/tokens"
	"neargate/wire/shape"
)

// maxToken is how long a client token may be.
const maxToken = 64

// Token is a client token of a request that creates something. The zero Token is
// none.
type Token struct {
	Text      string
	operation string
	arguments string // hash
	at        time.Time
}

// TokenOf reads the client token of an operation's request; what it asks for is
// identified by the JSON form of arguments. Blanks around a token do not count.
func TokenOf(text *string, operation string, now time.Time, arguments any) (Token, error) {
	t := Token{Text: strings.TrimSpace(Val(text)), operation: operation, at: now}
	switch {
	case text != nil && *text == "":
		return t, Invalid("Value () for parameter clientToken is invalid")
	case len(t.Text) > maxToken || strings.ContainsFunc(t.Text, func(r rune) bool { return r > '~' }):
		return t, Invalid("Value (%s) for parameter clientToken is invalid", t.Text)
	}
	b, err := json.Marshal(arguments)
	t.arguments = digest(b)
	return t, err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Replayed finds what an earlier request with the token created and the tags that
// it gave; ok is false when there was none.
func Replayed[R any](sc Scope, t Token, kind Kind[R]) (r R, tags []network.Tag, ok bool, err error) {
	if t.Text == "" {
		return r, nil, false, nil
	}
	account, region := sc.Tenant()
	c, found, err := tokens.Creations.Find(sc.Tx, account, region, t.operation, digest([]byte(t.Text)))
	if err != nil || !found || t.at.Sub(c.At) > network.TokenLife {
		return r, nil, false, err
	}
	if c.Arguments != t.arguments {
		return r, nil, false, shape.Errorf("IdempotentParameterMismatch", "Wrong arguments for request with token %s", t.Text)
	}
	r, ok, err = kind.Table.Find(sc.Tx, account, region, c.Resource)
	if err == nil && !ok {
		err = shape.Errorf("IdempotentParameterMismatch", "An error occurred (IdempotentParameterMismatch) when calling this operation: "+
			"The client token and arguments used in this request were used in a prior request that was associated with a resource which is now deleted.")
	}
	return r, c.Tags, ok, err
}

// Remember records that the request with the token created the resource.
func (t Token) Remember(sc Scope, resource string, tags []network.Tag) error {
	if t.Text == "" {
		return nil
	}
	account, region := sc.Tenant()
	return tokens.Put(sc.Tx, &network.Creation{
		Account: account, Region: region, Operation: t.operation, Token: digest([]byte(t.Text)),
		Arguments: t.arguments, Resource: resource, Tags: tags, At: t.at,
	})
}

package call

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"neargate/wire/shape"
)

const maxToken = 64

// Token is the client token of a request, "" for none, and the form in which it is
// kept.
func Token(p *string) (token, key string, err error) {
	token = strings.TrimSpace(Val(p))
	switch {
	case p != nil && *p == "":
		return "", "", Invalid("Value () for parameter clientToken is invalid")
	case len(token) > maxToken:
		return "", "", Invalid("Value (%s) for parameter clientToken is invalid", token)
	case token == "":
		return "", "", nil
	}
	return token, digest([]byte(token)), nil
}

// Hash identifies the arguments of a request for idempotency. args holds what is
// part of that identity, in a form that JSON can hold.
func Hash(args ...any) (string, error) {
	b, err := json.Marshal(args)
	return digest(b), err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Mismatch refuses a client token that was used for other arguments.
func Mismatch(token string) error {
	return shape.Errorf("IdempotentParameterMismatch", "Wrong arguments for request with token %s", token)
}

// Package oidc reads and verifies tokens of OpenID Connect providers.
package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"
)

// What is wrong with a token.
var (
	ErrMalformed = errors.New("oidc: not a signed JSON Web Token")
	ErrExpired   = errors.New("oidc: token expired")
	ErrNotYet    = errors.New("oidc: token not valid yet")
	ErrSignature = errors.New("oidc: signature does not verify")
	ErrKeys      = errors.New("oidc: the provider's keys could not be had")
)

// skew is how far the clock of a provider may be off.
const skew = 5 * time.Minute

// Claims are what a token says, in the parts that are used.
type Claims struct {
	Issuer         string   `json:"iss"`
	Subject        string   `json:"sub"`
	Audience       audience `json:"aud"`
	Authorized     string   `json:"azp"`
	Methods        []string `json:"amr"`
	Expires        *number  `json:"exp"`
	NotBefore      *number  `json:"nbf"`
	IssuedAt       *number  `json:"iat"`
	SourceIdentity string   `json:"https://aws.amazon.com/source_identity"`
	Tags           struct {
		Principal  map[string]audience `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	} `json:"https://aws.amazon.com/tags"`
}

// audience is a text or a list of texts.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// number is seconds since 1970, with a fraction perhaps.
type number float64

func (n *number) time() time.Time { return time.UnixMilli(int64(float64(*n) * 1000)) }

// Token is a token taken apart but not verified.
type Token struct {
	Claims    Claims
	algorithm string
	key       string // id
	signed    string
	signature []byte
}

// Parse takes a token apart. It proves nothing. The error is ErrMalformed.
func Parse(text string) (*Token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, ErrMalformed
	}
	var header struct {
		Alg  string   `json:"alg"`
		Kid  string   `json:"kid"`
		Crit []string `json:"crit"`
	}
	t := &Token{signed: parts[0] + "." + parts[1]}
	if decode(parts[0], &header) != nil || decode(parts[1], &t.Claims) != nil || len(header.Crit) > 0 {
		return nil, ErrMalformed
	}
	var err error
	if t.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return nil, ErrMalformed
	}
	t.algorithm, t.key = header.Alg, header.Kid
	if t.Claims.Issuer == "" || t.Claims.Expires == nil {
		return nil, ErrMalformed
	}
	return t, nil
}

func decode(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// Current refuses a token before and after its time.
func (t *Token) Current(now time.Time) error {
	c := &t.Claims
	switch {
	case !now.Before(c.Expires.time().Add(skew)):
		return ErrExpired
	case c.NotBefore != nil && now.Add(skew).Before(c.NotBefore.time()), c.IssuedAt != nil && now.Add(skew).Before(c.IssuedAt.time()):
		return ErrNotYet
	}
	return nil
}

// Key is a public key of a provider, as its key set has it (RFC 7517).
type Key struct {
	Kind string `json:"kty"`
	ID   string `json:"kid"`
	Use  string `json:"use"`
	N    string `json:"n"`
	E    string `json:"e"`
	Crv  string `json:"crv"`
	X    string `json:"x"`
	Y    string `json:"y"`
}

// algorithms are the signatures that AWS takes.
var algorithms = map[string]struct {
	kind, curve string
	hash        crypto.Hash
}{
	"RS256": {"RSA", "", crypto.SHA256}, "RS384": {"RSA", "", crypto.SHA384}, "RS512": {"RSA", "", crypto.SHA512},
	"ES256": {"EC", "P-256", crypto.SHA256}, "ES384": {"EC", "P-384", crypto.SHA384}, "ES512": {"EC", "P-521", crypto.SHA512},
}

// Verify checks the signature with the provider's keys. The error is ErrSignature.
func (t *Token) Verify(keys []Key) error {
	a, ok := algorithms[t.algorithm]
	if !ok {
		return ErrSignature
	}
	h := a.hash.New()
	h.Write([]byte(t.signed))
	sum := h.Sum(nil)
	for _, k := range keys {
		if k.Kind != a.kind || k.Crv != a.curve || k.Use == "enc" || t.key != "" && k.ID != "" && k.ID != t.key {
			continue
		}
		if k.Kind == "RSA" && k.rsa(a.hash, sum, t.signature) || k.Kind == "EC" && k.ec(sum, t.signature) {
			return nil
		}
	}
	return ErrSignature
}

func (k *Key) rsa(hash crypto.Hash, sum, signature []byte) bool {
	n, e := integer(k.N), integer(k.E)
	if n == nil || e == nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || n.BitLen() < 1024 || n.BitLen() > 16384 {
		return false
	}
	return rsa.VerifyPKCS1v15(&rsa.PublicKey{N: n, E: int(e.Int64())}, hash, sum, signature) == nil
}

func (k *Key) ec(sum, signature []byte) bool {
	curve, ok := curves[k.Crv]
	x, y := integer(k.X), integer(k.Y)
	if !ok || x == nil || y == nil || len(signature)%2 != 0 {
		return false
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size || x.BitLen() > 8*size || y.BitLen() > 8*size {
		return false
	}
	point := make([]byte, 1+2*size)
	point[0] = 4
	x.FillBytes(point[1 : 1+size])
	y.FillBytes(point[1+size:])
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, sum, r, s)
}

// curves are those of the algorithms.
var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// integer reads an unsigned number; nil when it is none.
func integer(text string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

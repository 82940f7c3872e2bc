package sts

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/store/tables/identities"
)

// issuer is an OpenID Connect provider on loopback, over TLS with a certificate of its
// own.
type issuer struct {
	*httptest.Server
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	p := &issuer{}
	var err error
	if p.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if p.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		point, err := p.ec.PublicKey.Bytes()
		if err != nil {
			t.Error(err)
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{
			{"kty": "RSA", "kid": "r", "use": "sig", "n": b64(p.rsa.N.Bytes()), "e": b64(big.NewInt(int64(p.rsa.E)).Bytes())},
			{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		}})
	})
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *issuer) thumbprint() string {
	sum := sha1.Sum(p.Certificate().Raw)
	return hex.EncodeToString(sum[:])
}

// token signs claims.
func (p *issuer) token(t *testing.T, alg string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	kid := map[string]string{"RS256": "r", "ES256": "e"}[alg]
	signed := b64(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid)) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	var signature []byte
	switch alg {
	case "RS256":
		if signature, err = rsa.SignPKCS1v15(rand.Reader, p.rsa, crypto.SHA256, sum[:]); err != nil {
			t.Fatal(err)
		}
	case "ES256":
		r, s, err := ecdsa.Sign(rand.Reader, p.ec, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	return signed + "." + b64(signature)
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	p := newIssuer(t)
	w := newWorld(t, "")
	provider := identity.OIDCProvider{
		Account: home, URL: strings.TrimPrefix(p.URL, "https://"), ClientIDs: []string{"sts.amazonaws.com"}, Thumbprints: []string{p.thumbprint()},
	}
	put(t, w, identities.OIDCProviders, &provider)
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":%q},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],
		"Condition":{"StringLike":{"%[2]s:sub":"repo:acme/*"},"StringEquals":{"%[2]s:aud":"sts.amazonaws.com"}}}]}`, provider.ARN(), provider.URL)
	role := w.role(t, home, "ci", trust)
	claims := func(change func(map[string]any)) map[string]any {
		m := map[string]any{"iss": p.URL, "aud": "sts.amazonaws.com", "sub": "repo:acme/app", "exp": start.Add(time.Hour).Unix(), "iat": start.Unix()}
		if change != nil {
			change(m)
		}
		return m
	}
	good := p.token(t, "RS256", claims(nil))
	parts := strings.Split(good, ".")
	tests := []struct{ name, token, role, want string }{
		{"RSA", good, role, ""},
		{"elliptic curve", p.token(t, "ES256", claims(nil)), role, ""},
		{"list of audiences", p.token(t, "RS256", claims(func(m map[string]any) { m["aud"] = []string{"x", "sts.amazonaws.com"} })), role, ""},
		{"tags", p.token(t, "RS256", claims(func(m map[string]any) {
			m["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": map[string]any{"team": []string{"red"}}}
		})), role, ""},
		{"no token", "xxxx", role, "InvalidIdentityTokenException: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"},
		{"another's key", newIssuerToken(t, claims(nil)), role, "InvalidIdentityTokenException: The token's signature is invalid."},
		{"other claims", parts[0] + "." + b64([]byte(`{"iss":"`+p.URL+`","aud":"sts.amazonaws.com","sub":"repo:acme/x","exp":99999999999}`)) + "." + parts[2], role,
			"InvalidIdentityTokenException: The token's signature is invalid."},
		{"unsigned", p.token(t, "none", claims(nil)), role, "InvalidIdentityTokenException: The token's signature is invalid."},
		{"audience", p.token(t, "RS256", claims(func(m map[string]any) { m["aud"] = "x" })), role, "InvalidIdentityTokenException: Incorrect token audience"},
		{"expired", p.token(t, "RS256", claims(func(m map[string]any) { m["exp"] = start.Add(-time.Hour).Unix() })), role,
			"ExpiredTokenException: Token expired: current date/time must be before the expiration date/time"},
		{"unknown issuer", p.token(t, "RS256", claims(func(m map[string]any) { m["iss"] = "https://x.example" })), role,
			"InvalidIdentityTokenException: No OpenIDConnect provider found in your account for https://x.example"},
		{"subject", p.token(t, "RS256", claims(func(m map[string]any) { m["sub"] = "repo:other/app" })), role, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"no role", good, role + "x", "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"trusts nobody like it", good, w.role(t, home, "app", trusting(tasks, "")), "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"},
	}
	anonymous := auth.WithCaller(t.Context(), auth.Caller{})
	for _, tt := range tests {
		out, err := w.AssumeRoleWithWebIdentity(anonymous, &api.AssumeRoleWithWebIdentityInput{RoleArn: &tt.role, RoleSessionName: new("run"), WebIdentityToken: &tt.token})
		if text(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if *out.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/ci/run" || *out.SubjectFromWebIdentityToken != "repo:acme/app" || *out.Audience != "sts.amazonaws.com" {
			t.Errorf("%s: %+v", tt.name, out)
		}
		cred, err := auth.NewDirectory(w.deps.Store, w.deps.Now).Lookup(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
		if err != nil || cred.Caller.UserID != "AROACI:run" {
			t.Errorf("%s: %+v, %v", tt.name, cred, err)
		}
	}
	const unreachable = "InvalidIdentityTokenException: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	ask := func() error {
		_, err := w.AssumeRoleWithWebIdentity(anonymous, &api.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: new("run"), WebIdentityToken: &good})
		return err
	}
	provider.Thumbprints = []string{strings.Repeat("0", 40)}
	put(t, w, identities.OIDCProviders, &provider)
	if err := ask(); text(err) != unreachable {
		t.Errorf("a certificate nobody vouches for: %v", err)
	}
	provider.Thumbprints = []string{p.thumbprint()}
	put(t, w, identities.OIDCProviders, &provider)
	p.Close()
	if err := ask(); text(err) != unreachable {
		t.Errorf("a provider that is down: %v", err)
	}
}

// newIssuerToken signs claims with the key of somebody else.
func newIssuerToken(t *testing.T, claims map[string]any) string {
	return newIssuer(t).token(t, "RS256", claims)
}

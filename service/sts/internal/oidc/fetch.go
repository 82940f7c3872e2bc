package oidc

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Bounds of asking a provider.
const (
	timeout  = 5 * time.Second
	maxBody  = 1 << 20
	maxHops  = 3
	wellKnow = "/.well-known/openid-configuration"
)

// Keys asks a provider for its keys, by the issuer's URL. Its certificate is proven by
// an authority that the machine trusts, or that one of the thumbprints is of (SHA-1,
// hexadecimal). The error is ErrKeys.
func Keys(ctx context.Context, issuer string, thumbprints []string) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, // proven does it
			VerifyConnection:   func(s tls.ConnectionState) error { return proven(s, thumbprints) },
		},
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) >= maxHops {
			return errors.New("oidc: not to be followed")
		}
		return nil
	}}
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := get(ctx, client, strings.TrimSuffix(issuer, "/")+wellKnow, &about); err != nil {
		return nil, errors.Join(ErrKeys, err)
	}
	if about.Issuer != issuer || !strings.HasPrefix(about.Keys, "https://") {
		return nil, ErrKeys
	}
	var set struct {
		Keys []Key `json:"keys"`
	}
	if err := get(ctx, client, about.Keys, &set); err != nil {
		return nil, errors.Join(ErrKeys, err)
	}
	return set.Keys, nil
}

func get(ctx context.Context, client *http.Client, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("oidc: " + address + " answers " + resp.Status)
	}
	return json.Unmarshal(body, into)
}

// proven refuses a connection whose certificate neither the machine's authorities nor
// one with a thumbprint vouches for.
func proven(s tls.ConnectionState, thumbprints []string) error {
	rest := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		rest.AddCert(c)
	}
	leaf := s.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: s.ServerName, Intermediates: rest})
	if err == nil {
		return nil
	}
	for _, c := range s.PeerCertificates {
		sum := sha1.Sum(c.Raw)
		if !slices.ContainsFunc(thumbprints, func(t string) bool { return strings.EqualFold(t, hex.EncodeToString(sum[:])) }) {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(c)
		if _, terr := leaf.Verify(x509.VerifyOptions{DNSName: s.ServerName, Intermediates: rest, Roots: roots}); terr == nil {
			return nil
		}
	}
	return err
}

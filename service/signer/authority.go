package signer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"time"

	"neargate/internal/seal"
	"neargate/resource/signing"
	"neargate/store"
	"neargate/store/tables/signings"
)

// authorityYears is how long the authority's certificate is valid, and those of profiles
// with it: signatures are verified as of when they were made, so it bounds signing.
const authorityYears = 50

// backdate is for verifiers whose clock is behind.
const backdate = time.Hour

// errAuthority reports a stored private key that is sealed under another master key.
var errAuthority = errors.New("signer: a private key in the store is sealed under another master key: restore kms.key to the data directory")

// subject is the subject of a certificate.
func subject(common string) pkix.Name {
	return pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"neargate"}, CommonName: common}
}

// newKey makes a private key, also in PKCS #8.
func newKey() (key *ecdsa.PrivateKey, der []byte, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err == nil {
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	return key, der, err
}

// open unseals a private key.
func (s *Service) open(sealed, context []byte) (*ecdsa.PrivateKey, error) {
	der, err := seal.Open(s.master, sealed, context)
	if errors.Is(err, seal.ErrOpen) {
		return nil, errAuthority
	}
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("signer: a stored private key is of another kind")
	}
	return own, nil
}

// serial is a serial number: positive, and never short.
func (s *Service) serial() *big.Int {
	b := s.deps.IDs.Bytes(16)
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b)
}

// newAuthority makes an authority.
func (s *Service) newAuthority() (a signing.Authority, err error) {
	key, der, err := newKey()
	if err != nil {
		return a, err
	}
	serial, now := s.serial(), s.now()
	root := &x509.Certificate{
		SerialNumber: serial, Subject: subject("neargate signer root " + hex.EncodeToString(serial.Bytes()[:4])),
		NotBefore: now.Add(-backdate), NotAfter: now.AddDate(authorityYears, 0, 0),
		IsCA: true, MaxPathLenZero: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if a.Certificate, err = x509.CreateCertificate(rand.Reader, root, root, key.Public(), key); err != nil {
		return a, err
	}
	a.Sealed = s.seal(der, a.Bound())
	return a, nil
}

// authority is the installation's, made when there is none.
func (s *Service) authority(ctx context.Context) (a signing.Authority, err error) {
	found := false
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		a, found, err = signings.Authority(tx)
		return err
	})
	if err != nil || found {
		return a, err
	}
	fresh, err := s.newAuthority()
	if err != nil {
		return a, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if a, found, err = signings.Authority(tx); err != nil || found {
			return err
		}
		a = fresh
		return signings.Authorities.Put(tx, &a)
	})
	return a, err
}

// certify gives a profile its key and certificates.
// Source: Notary Project signature specification, "Certificate Requirements".
func (s *Service) certify(ctx context.Context, p *signing.Profile) error {
	a, err := s.authority(ctx)
	if err != nil {
		return err
	}
	issuer, err := s.open(a.Sealed, a.Bound())
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return err
	}
	key, der, err := newKey()
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: s.serial(), Subject: subject("AWS Signer"), NotBefore: s.now().Add(-backdate), NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), issuer)
	if err != nil {
		return err
	}
	p.Chain, p.Sealed = [][]byte{cert, a.Certificate}, s.seal(der, p.Bound())
	return nil
}

// Root is the certificate of the authority, in DER, that verifiers of signatures are to
// trust. The authority is made when there is none.
func (s *Service) Root(ctx context.Context) ([]byte, error) {
	a, err := s.authority(ctx)
	return a.Certificate, err
}

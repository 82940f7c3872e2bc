// Package ca is an installation's own certificate authority: one key and
// certificate kept in a directory, and server certificates made from it for
// whatever name a client asks for.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Files kept in the directory. The certificate is public, for clients to trust;
// the key has mode 0600.
const (
	CertFile = "ca.pem"
	keyFile  = "ca-key.pem"
)

// Lifetimes. A leaf lives no longer than the strictest clients accept (398
// days) and is replaced when it has a month left.
const (
	caLife   = 20 * 365 * 24 * time.Hour
	leafLife = 397 * 24 * time.Hour
	renew    = 30 * 24 * time.Hour
	backdate = time.Hour // for clients whose clock is behind
	maxLeafs = 1024
)

// ErrName is answered for a name the authority does not serve.
var ErrName = errors.New("ca: not a name this installation serves")

// CA makes certificates. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time

	mu    sync.Mutex
	leafs map[string]*tls.Certificate
}

// Open loads the authority kept in dir, or creates it there on first use.
func Open(dir string, now func() time.Time) (*CA, error) {
	c, err := load(dir, now)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(dir, now()); err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c, err = load(dir, now)
	}
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return c, nil
}

func load(dir string, now func() time.Time) (*CA, error) {
	keyPEM, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	certPEM, err := os.ReadFile(filepath.Join(dir, CertFile))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s does not hold a certificate authority", dir)
	}
	return &CA{cert: pair.Leaf, key: key, now: now, leafs: map[string]*tls.Certificate{}}, nil
}

// create writes the certificate first and the key last: a directory without a
// key holds no authority, so an interrupted creation starts over.
func create(dir string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := serialNumber()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: fmt.Sprintf("neargate local CA %x", serial.Bytes()[:4]), Organization: []string{"neargate"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, CertFile), "CERTIFICATE", cert, 0o644); err != nil {
		return err
	}
	return write(filepath.Join(dir, keyFile), "PRIVATE KEY", der, 0o600)
}

// write replaces a file atomically; it never exists with a wider mode.
func write(path, kind string, der []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Certificate is the authority's own certificate.
func (c *CA) Certificate() *x509.Certificate { return c.cert }

// TLSConfig serves with certificates of the authority, HTTP/2 first.
func (c *CA) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.forHello,
	}
}

func (c *CA) forHello(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hello.ServerName
	if name == "" { // a client that dialled an address sends none
		host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
		if err != nil {
			return nil, ErrName
		}
		name, _, _ = strings.Cut(host, "%")
	}
	return c.Leaf(name)
}

// Leaf returns a certificate for name: an address, localhost or a name under
// it, or a name under amazonaws.com, amazonaws.com.cn or api.aws. It makes one at most
// once per name while at most a thousand names are in use.
func (c *CA) Leaf(name string) (*tls.Certificate, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !served(name) {
		return nil, ErrName
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if leaf := c.leafs[name]; leaf != nil && now.Add(renew).Before(leaf.Leaf.NotAfter) {
		return leaf, nil
	}
	leaf, err := c.issue(name, now)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if len(c.leafs) >= maxLeafs {
		clear(c.leafs)
	}
	c.leafs[name] = leaf
	return leaf, nil
}

func served(name string) bool {
	if net.ParseIP(name) != nil {
		return true
	}
	if len(name) > 253 || strings.ContainsAny(name, "/ *@:\\") {
		return false
	}
	for _, root := range []string{"localhost", "amazonaws.com", "amazonaws.com.cn", "api.aws"} {
		if name == root || strings.HasSuffix(name, "."+root) {
			return true
		}
	}
	return false
}

func (c *CA) issue(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	if len(name) <= 64 {
		template.Subject.CommonName = name
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, c.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// serialNumber is 127 random bits with the highest set, so that it is positive
// and never short.
func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil
}

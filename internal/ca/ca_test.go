package ca

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOpenKeepsTheAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Certificate().Equal(b.Certificate()) {
		t.Error("a second authority was made")
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", info.Mode(), err)
	}
	leaf, err := a.Leaf("localhost")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(b.Certificate())
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: roots}); err != nil {
		t.Error(err)
	}
}

func TestInterruptedCreationStartsOver(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, time.Now); err == nil {
		t.Fatal("a broken key was accepted or replaced")
	}
}

func TestLeafNames(t *testing.T) {
	now := time.Now()
	c, err := Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate())
	for _, name := range []string{
		"localhost", "ecs.us-east-1.localhost", "127.0.0.1", "::1", "10.0.0.7", "ECS.us-east-1.amazonaws.com", "a.b.amazonaws.com.cn", "ecs.amazonaws.com.", "ecs.us-east-1.api.aws",
		"a-very-long-bucket-name-that-is-longer-than-any-common-name-may-be.s3.ap-northeast-1.amazonaws.com",
	} {
		leaf, err := c.Leaf(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "example.com", "evilamazonaws.com", "amazonaws.com.evil.org", "*.localhost", "notlocalhost", "a b.localhost"} {
		if _, err := c.Leaf(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestLeafIsKeptAndRenewed(t *testing.T) {
	now := time.Now()
	c, err := Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	leaf := func() *x509.Certificate {
		l, err := c.Leaf("localhost")
		if err != nil {
			t.Fatal(err)
		}
		return l.Leaf
	}
	first := leaf()
	if leaf() != first {
		t.Error("made twice")
	}
	now = first.NotAfter.Add(-renew + time.Second)
	if second := leaf(); second == first || !second.NotAfter.After(first.NotAfter) {
		t.Error("not renewed")
	}
}

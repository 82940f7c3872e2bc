// Package registries reads how registries of images are reached that are not reached
// as their name says.
package registries

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/distribution/reference"
)

// Config says how registries are reached that are not reached as their name
// says. The zero value says nothing.
type Config struct {
	hosts map[string]registry // by the host of an image's name, with its port if any
}

// registry is how one host is reached.
type registry struct {
	mirrors  []*url.URL // tried in order before the host itself
	only     bool       // the host itself is not tried
	insecure bool       // plain HTTP, or a certificate nobody vouches for
	roots    *x509.CertPool
}

// registryFile is the form of one host in a configuration file.
type registryFile struct {
	Mirrors  []string `json:"mirrors"`
	Only     bool     `json:"only"`
	Insecure bool     `json:"insecure"`
	CA       string   `json:"ca"`
}

// Read reads a configuration file:
//
//	{"registries": {
//	  "public.ecr.aws": {"mirrors": ["http://127.0.0.1:5000"], "only": true},
//	  "registry.example:5000": {"ca": "/etc/registry.pem"},
//	  "10.0.0.7:5000": {"insecure": true}
//	}}
//
// A mirror's path, if any, comes before the name of the repository. What is said
// of a mirror's host holds for the mirror; http:// in its URL permits plain HTTP.
// Mirrors belong to the node: they are dialed from the host.
func Read(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	var file struct {
		Registries map[string]registryFile `json:"registries"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: more than one JSON value", path)
	}
	out := Config{hosts: map[string]registry{}}
	for name, f := range file.Registries {
		host, err := registryHost(name)
		if err == nil {
			if _, twice := out.hosts[host]; twice {
				err = errors.New("is there twice")
			}
		}
		if err == nil {
			out.hosts[host], err = f.parse()
		}
		if err != nil {
			return Config{}, fmt.Errorf("%s: registry %q: %w", path, name, err)
		}
	}
	return out, nil
}

// registryHost is the host as it stands in the full names of images.
func registryHost(name string) (string, error) {
	if strings.Contains(name, "/") {
		return "", errors.New("a host is wanted, with a port if need be, and no path")
	}
	if name == "registry-1.docker.io" {
		name = "docker.io"
	}
	named, err := reference.ParseNormalizedNamed(name + "/library/name")
	if err != nil {
		return "", errors.New("is no host")
	}
	if host := reference.Domain(named); host == name || name == "index.docker.io" {
		return host, nil
	}
	return "", errors.New("is no host as images name it: it has a dot, a port or is localhost")
}

func (f registryFile) parse() (registry, error) {
	r := registry{only: f.Only, insecure: f.Insecure}
	for _, m := range f.Mirrors {
		u, err := url.Parse(m)
		if err != nil {
			return r, err
		}
		if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return r, fmt.Errorf("mirror %q: http:// or https://, a host and maybe a path are wanted", u.Redacted())
		}
		r.mirrors = append(r.mirrors, u)
	}
	if f.Only && len(r.mirrors) == 0 {
		return r, errors.New(`"only" needs a mirror`)
	}
	if f.CA == "" {
		return r, nil
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return r, err
	}
	if r.roots, err = x509.SystemCertPool(); err != nil {
		r.roots = x509.NewCertPool()
	}
	if !r.roots.AppendCertsFromPEM(pem) {
		return r, fmt.Errorf("%s holds no certificate", f.CA)
	}
	return r, nil
}

// Trust is how TLS connections to a host are checked, and whether plain HTTP
// will do.
func (r Config) Trust(host string) (conf *tls.Config, plain bool) {
	h := r.hosts[host]
	plain = h.insecure || docker.IsLocalhost(host)
	return &tls.Config{RootCAs: h.roots, InsecureSkipVerify: plain && h.roots == nil}, plain
}

// Mirrors are tried in order before the host that images are named after; only
// reports that the host itself is not tried.
func (r Config) Mirrors(name string) (mirrors []*url.URL, only bool) {
	h := r.hosts[name]
	return h.mirrors, h.only
}

// Hosts are the hosts that something is said of, in order.
func (r Config) Hosts() []string { return slices.Sorted(maps.Keys(r.hosts)) }

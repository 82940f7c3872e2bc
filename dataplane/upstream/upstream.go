// Package upstream asks the registries that pull through cache rules are about, or
// the mirrors that stand for them.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/pkg/reference"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"

	"neargate/internal/registries"
	"neargate/resource/image"
)

// Waiting for a registry is bounded, and so is what it sends as a manifest.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 30 * time.Second
	mostManifest  = 4 << 20
)

// Registries are those of the internet, reached as the configuration says.
type Registries struct {
	conf   registries.Config
	client func(host string) *http.Client
}

// New returns registries.
func New(conf registries.Config) *Registries {
	return &Registries{conf: conf, client: func(host string) *http.Client {
		trust, plain := conf.Trust(host)
		t := &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSClientConfig: trust,
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: answerTimeout, IdleConnTimeout: answerTimeout,
		}
		if plain {
			return &http.Client{Transport: docker.NewHTTPFallback(t)}
		}
		return &http.Client{Transport: t}
	}}
}

// hosts are where the images of a registry are looked for, in order.
func (r *Registries) hosts(name string) ([]docker.RegistryHost, error) {
	var out []docker.RegistryHost
	add := func(host, scheme, path string) {
		client := r.client(host)
		out = append(out, docker.RegistryHost{
			Client: client, Authorizer: docker.NewDockerAuthorizer(docker.WithAuthClient(client)), Host: host, Scheme: scheme, Path: "/v2" + path,
			Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
		})
	}
	mirrors, only := r.conf.Mirrors(name)
	for _, m := range mirrors {
		add(m.Host, m.Scheme, m.Path)
	}
	if only {
		return out, nil
	}
	host, err := docker.DefaultHost(name)
	if err != nil {
		return nil, err
	}
	add(host, "https", "")
	return out, nil
}

func (r *Registries) resolver() remotes.Resolver {
	return docker.NewResolver(docker.ResolverOptions{Hosts: r.hosts, Headers: http.Header{"User-Agent": {"neargate"}}})
}

// Manifest is what a reference, a tag or a digest, names now, and its media type.
// The error is image.ErrNoBlob when there is no such image.
func (r *Registries) Manifest(ctx context.Context, host, repository, reference string) (text []byte, mediaType string, err error) {
	ctx = quiet(ctx)
	ref := host + "/" + repository + ":" + reference
	if image.ValidDigest(reference) {
		ref = host + "/" + repository + "@" + reference
	}
	resolver := r.resolver()
	_, desc, err := resolver.Resolve(ctx, ref)
	if err != nil {
		return nil, "", missing(err)
	}
	if desc.Size > mostManifest {
		return nil, "", fmt.Errorf("the manifest of %s has %d bytes", ref, desc.Size)
	}
	fetcher, err := resolver.Fetcher(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	body, err := fetcher.Fetch(ctx, desc)
	if err != nil {
		return nil, "", missing(err)
	}
	defer body.Close()
	text, err = io.ReadAll(io.LimitReader(body, mostManifest+1))
	if err == nil && image.DigestOf(text) != desc.Digest.String() {
		err = fmt.Errorf("the manifest of %s has the digest %s, not %s", ref, image.DigestOf(text), desc.Digest)
	}
	return text, desc.MediaType, err
}

// Blob is a layer or a configuration; whoever reads it checks its digest.
func (r *Registries) Blob(ctx context.Context, host, repository, digest string) (io.ReadCloser, error) {
	ctx = quiet(ctx)
	name := host + "/" + repository + "@" + digest
	ref, err := reference.Parse(name)
	if err != nil {
		return nil, err
	}
	fetcher, err := r.resolver().Fetcher(ctx, name)
	if err != nil {
		return nil, err
	}
	by, ok := fetcher.(remotes.FetcherByDigest)
	if !ok {
		return nil, errors.New("upstream: the resolver fetches nothing by digest")
	}
	body, _, err := by.FetchByDigest(ctx, ref.Digest())
	return body, missing(err)
}

func missing(err error) error {
	if errdefs.IsNotFound(err) {
		return image.ErrNoBlob
	}
	return err
}

// quiet keeps the library from writing to standard error: what it has to say is in
// the errors it returns.
func quiet(ctx context.Context) context.Context {
	entry := log.G(ctx).WithFields(nil)
	entry.Logger = silent(entry.Logger)
	return log.WithLogger(ctx, entry)
}

// silent is a logger's zero value, which logs nothing short of a panic.
func silent[L any](*L) *L { return new(L) }

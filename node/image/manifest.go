package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Limits of what registries answer.
const (
	mostDocument = 8 << 20 // bytes of an index, manifest or configuration
	mostLayer    = 1 << 40 // bytes of a layer as it comes
	deepest      = 3       // an index in an index in an index
)

// errPlatform says that a manifest is for other platforms.
var errPlatform = errors.New("other platform")

// document is an index or a manifest.
type document struct {
	MediaType string               `json:"mediaType"`
	Manifests []ocispec.Descriptor `json:"manifests"`
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
}

// resolve asks the registry what the reference names now, and finds the manifest
// and configuration for the platform.
func (p *pull) resolve(ctx context.Context) error {
	_, top, err := p.resolver.Resolve(ctx, p.ref)
	if err != nil {
		return fmt.Errorf("failed to resolve ref %s: %w", p.ref, err)
	}
	p.top, p.documents = top, nil
	err = p.find(ctx, top, 0)
	if errors.Is(err, errPlatform) {
		return permanent{fmt.Errorf("image Manifest does not contain descriptor matching platform 'linux/%s'", p.arch)}
	}
	return err
}

// find looks for the platform's manifest at a descriptor and below.
func (p *pull) find(ctx context.Context, desc ocispec.Descriptor, depth int) error {
	if strings.HasPrefix(desc.MediaType, "application/vnd.docker.distribution.manifest.v1") {
		return permanent{fmt.Errorf("media type %q is no longer supported", desc.MediaType)}
	}
	data, err := p.read(ctx, desc)
	if err != nil {
		return err
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return permanent{fmt.Errorf("manifest %s: %w", desc.Digest, err)}
	}
	switch {
	case doc.Manifests != nil && (doc.Config != nil || doc.Layers != nil):
		return permanent{fmt.Errorf("manifest %s is an index as well", desc.Digest)}
	case doc.Config != nil:
		return p.take(ctx, desc, doc, depth > 0)
	case doc.Manifests == nil && !images.IsIndexType(desc.MediaType):
		return permanent{fmt.Errorf("unsupported manifest media type %q", desc.MediaType)}
	}
	documents := p.documents
	for _, d := range candidates(doc.Manifests, p.arch) {
		if depth == deepest {
			return permanent{fmt.Errorf("index %s is nested too deeply", desc.Digest)}
		}
		p.documents = documents
		if err := p.find(ctx, d, depth+1); !errors.Is(err, errPlatform) {
			return err
		}
	}
	return errPlatform
}

// take makes a manifest the one to pull, if it is for the platform: an index may
// have said so; if not, its configuration does, which must say something where
// there is a choice.
func (p *pull) take(ctx context.Context, desc ocispec.Descriptor, doc document, choice bool) error {
	data, err := p.read(ctx, *doc.Config)
	if err != nil {
		return err
	}
	var config ocispec.Image
	if err := json.Unmarshal(data, &config); err != nil {
		return permanent{fmt.Errorf("configuration %s: %w", doc.Config.Digest, err)}
	}
	unsaid := config.Architecture == "" && config.OS == ""
	if desc.Platform == nil && !matches(config.Platform, p.arch) && (choice || !unsaid) {
		return errPlatform
	}
	p.manifest, p.config = desc, config
	return p.plan(doc.Layers)
}

// candidates are the entries of an index that may be for linux on an
// architecture: those that say so first.
func candidates(all []ocispec.Descriptor, arch string) []ocispec.Descriptor {
	var said, unsaid []ocispec.Descriptor
	for _, d := range all {
		switch {
		case d.Platform == nil:
			unsaid = append(unsaid, d)
		case matches(*d.Platform, arch):
			said = append(said, d)
		}
	}
	return append(said, unsaid...)
}

// matches reports whether a platform is linux on the baseline of an architecture.
func matches(p ocispec.Platform, arch string) bool {
	baseline := map[string]string{"amd64": "v1", "arm64": "v8"}[arch]
	return p.OS == "linux" && p.Architecture == arch && (p.Variant == "" || p.Variant == baseline)
}

// read returns an index, manifest or configuration, and fetches it first if need
// be.
func (p *pull) read(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	desc, err := check(desc, mostDocument)
	if err != nil {
		return nil, err
	}
	p.use(desc.Digest.String())
	if _, err := p.fetch(ctx, desc); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(p.path("blobs", desc.Digest.String()))
	if err != nil {
		return nil, err
	}
	if got := desc.Digest.Algorithm().FromBytes(data); got != desc.Digest {
		p.damaged(desc) // and comes anew the next time
		return nil, fmt.Errorf("document %s has the digest %s on disk", desc.Digest, got)
	}
	if int64(len(data)) != desc.Size {
		return nil, permanent{fmt.Errorf("%s has %d bytes, not %d", desc.Digest, len(data), desc.Size)}
	}
	p.documents = append(p.documents, blob{desc.Digest.String(), desc.Size})
	return data, nil
}

// check reduces a descriptor to what identifies a blob: where else it might come
// from, or what is embedded, is not believed.
func check(d ocispec.Descriptor, most int64) (ocispec.Descriptor, error) {
	if err := d.Digest.Validate(); err != nil {
		return d, permanent{fmt.Errorf("digest %q: %w", d.Digest, err)}
	}
	if d.Size <= 0 || d.Size > most {
		return d, permanent{fmt.Errorf("unable to fetch descriptor (%s) which reports content size of %d", d.Digest, d.Size)}
	}
	return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, nil
}

func checkLayer(d ocispec.Descriptor) (ocispec.Descriptor, error) {
	if !images.IsLayerType(d.MediaType) || strings.HasSuffix(d.MediaType, "+encrypted") || d.MediaType == images.MediaTypeErofsLayer {
		return d, permanent{fmt.Errorf("unsupported layer media type %q", d.MediaType)}
	}
	return check(d, mostLayer)
}

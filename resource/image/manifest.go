package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
)

// Media types of manifests.
const (
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Why a manifest is refused.
var (
	errSyntax    = errors.New("no manifest")
	ErrMediaType = errors.New("unsupported media type")
	ErrTooMany   = errors.New("too many layers or images")
)

// Bounds of manifests. Source: Amazon ECR service quotas, which bound layers.
const (
	mostBlobs    = 4200
	mostChildren = 1000
)

// descriptor names a blob or a manifest in a manifest.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// Parse reads a manifest. mediaType is what came with it, which may be empty; what
// the manifest says of itself must agree. Who it belongs to and when it came is
// not filled in.
func Parse(text []byte, mediaType string) (Image, error) {
	var m struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		ArtifactType  string       `json:"artifactType"`
		Config        *descriptor  `json:"config"`
		Layers        []descriptor `json:"layers"`
		Manifests     []descriptor `json:"manifests"`
		Subject       *descriptor  `json:"subject"`
	}
	if err := json.Unmarshal(text, &m); err != nil || m.SchemaVersion != 2 {
		return Image{}, errSyntax
	}
	mediaType, _, _ = strings.Cut(mediaType, ";")
	kind := kindOf(mediaType, m.MediaType, m.Manifests != nil && m.Config == nil)
	i := Image{MediaType: kind, Bytes: int64(len(text))}
	switch kind {
	case OCIManifest, DockerManifest:
		if m.Config == nil || m.Manifests != nil {
			return Image{}, errSyntax
		}
		i.Artifact = m.ArtifactType
		if i.Artifact == "" {
			i.Artifact = m.Config.MediaType
		}
		i.Blobs = blobs(append(m.Layers, *m.Config))
	case OCIIndex, DockerList:
		if m.Config != nil || m.Layers != nil {
			return Image{}, errSyntax
		}
		i.Artifact = m.ArtifactType
		for _, d := range m.Manifests {
			i.Children = append(i.Children, d.Digest)
		}
	default:
		return Image{}, ErrMediaType
	}
	if len(i.Blobs) > mostBlobs || len(i.Children) > mostChildren {
		return Image{}, ErrTooMany
	}
	for _, b := range i.Blobs {
		if !ValidDigest(b.Digest) || b.Size < 0 {
			return Image{}, errSyntax
		}
	}
	for _, c := range i.Children {
		if !ValidDigest(c) {
			return Image{}, errSyntax
		}
	}
	if m.Subject != nil {
		if !ValidDigest(m.Subject.Digest) {
			return Image{}, errSyntax
		}
		i.Subject = m.Subject.Digest
	}
	return i, nil
}

// kindOf is a manifest's media type: "" when what it says and what came with it
// differ.
func kindOf(given, own string, list bool) string {
	switch {
	case own != "" && given != "" && own != given:
		return ""
	case own != "":
		return own
	case given != "":
		return given
	case list:
		return OCIIndex
	}
	return OCIManifest
}

func blobs(from []descriptor) []Blob {
	var out []Blob
	for _, d := range from {
		out = append(out, Blob{Digest: d.Digest, MediaType: d.MediaType, Size: d.Size, Elsewhere: elsewhere(d.MediaType)})
	}
	return out
}

// elsewhere reports whether layers of a media type need not be in the registry.
func elsewhere(mediaType string) bool {
	return strings.Contains(mediaType, ".foreign.") || strings.Contains(mediaType, ".nondistributable.")
}

// List reports whether the image is a list of others.
func (i *Image) List() bool { return i.MediaType == OCIIndex || i.MediaType == DockerList }

// ValidDigest reports whether a digest is one that ECR takes.
func ValidDigest(d string) bool {
	hex, ok := strings.CutPrefix(d, "sha256:")
	if !ok || len(hex) != 64 {
		return false
	}
	return strings.Trim(hex, "0123456789abcdef") == ""
}

// DigestOf is the digest of a text.
func DigestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Annotations are the annotations in a manifest, nil if there are none.
func Annotations(manifest []byte) map[string]string {
	var m struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(manifest, &m) != nil {
		return nil
	}
	return m.Annotations
}

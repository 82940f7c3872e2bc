// Package notary is how images are signed by the Notary Project's specification, and how
// registries keep the signatures.
package notary

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"time"

	"neargate/resource/image"
)

// Media types: of what is signed, and of signatures.
const (
	PayloadType  = "application/vnd.cncf.notary.payload.v1+json"
	ArtifactType = "application/vnd.cncf.notary.signature"
	envelopeType = "application/jose+json"
)

// NoConfig is the configuration of an artifact that needs none.
const NoConfig = "{}"

// descriptor names a blob or a manifest.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

func describe(i *image.Image) descriptor { return descriptor{i.MediaType, i.Digest, i.Bytes} }

func describeText(mediaType string, text []byte) descriptor {
	return descriptor{mediaType, image.DigestOf(text), int64(len(text))}
}

// Payload is what is signed of an image.
// Source: Notary Project signature specification, "Payload".
func Payload(i *image.Image) ([]byte, error) {
	return json.Marshal(map[string]descriptor{"targetArtifact": describe(i)})
}

// Manifest is the manifest of an image's signature, an envelope in JWS: an artifact that
// refers to the image. Annotations are added to it.
// Source: Notary Project signature specification, "Storage".
func Manifest(i *image.Image, envelope []byte, annotations map[string]string, at time.Time) ([]byte, error) {
	var e struct {
		Header struct {
			Chain [][]byte `json:"x5c"`
		} `json:"header"`
	}
	if err := json.Unmarshal(envelope, &e); err != nil {
		return nil, err
	}
	var prints []string
	for _, certificate := range e.Header.Chain {
		sum := sha256.Sum256(certificate)
		prints = append(prints, hex.EncodeToString(sum[:]))
	}
	list, err := json.Marshal(prints)
	if err != nil {
		return nil, err
	}
	all := map[string]string{"io.cncf.notary.x509chain.thumbprint#S256": string(list), "org.opencontainers.image.created": at.UTC().Format(time.RFC3339)}
	maps.Copy(all, annotations)
	return json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        descriptor        `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Subject       descriptor        `json:"subject"`
		Annotations   map[string]string `json:"annotations"`
	}{2, image.OCIManifest, describeText(ArtifactType, []byte(NoConfig)), []descriptor{describeText(envelopeType, envelope)}, describe(i), all})
}

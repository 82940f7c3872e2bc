package notary

import (
	"strings"
	"testing"
	"time"

	"neargate/resource/image"
)

// TestManifest: a signature and what is signed, byte for byte, as the specification has
// them.
func TestManifest(t *testing.T) {
	i := &image.Image{Digest: image.DigestOf([]byte("x")), MediaType: image.OCIManifest, Bytes: 7}
	payload, err := Payload(i)
	if want := `{"targetArtifact":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + i.Digest + `","size":7}}`; err != nil || string(payload) != want {
		t.Errorf("signed %s, %v", payload, err)
	}
	envelope := []byte(`{"header":{"x5c":["YQ==","Yg=="]}}`)
	text, err := Manifest(i, envelope, map[string]string{"k": "v"}, time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600)))
	want := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.cncf.notary.signature","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},` +
		`"layers":[{"mediaType":"application/jose+json","digest":"` + image.DigestOf(envelope) + `","size":34}],` +
		`"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + i.Digest + `","size":7},` +
		`"annotations":{"io.cncf.notary.x509chain.thumbprint#S256":"[\"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\",\"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d\"]",` +
		`"k":"v","org.opencontainers.image.created":"2026-03-01T12:00:00Z"}}`
	if err != nil || string(text) != want {
		t.Errorf("kept as %s, %v\nwant %s", text, err, want)
	}
	kept, err := image.Parse(text, image.OCIManifest)
	if err != nil || kept.Artifact != ArtifactType || kept.Subject != i.Digest || len(kept.Blobs) != 2 {
		t.Errorf("read as %+v, %v", kept, err)
	}
	if _, err := Manifest(i, []byte("no envelope"), nil, time.Time{}); err == nil || !strings.Contains(err.Error(), "invalid character") {
		t.Errorf("no envelope: %v", err)
	}
}

package images

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// address is a request for a manifest or a blob of a repository.
var address = regexp.MustCompile(`^/v2/([a-z0-9._/-]+)/(manifests|blobs)/([A-Za-z0-9._:-]+)$`)

// ServeHTTP answers as a registry that only gives (OCI distribution 1.1): what is
// in the library, by tag and by digest, with ranges.
func (l *Library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		return
	}
	if r.URL.Path == "/v2/" || r.URL.Path == "/v2" {
		w.WriteHeader(http.StatusOK)
		return
	}
	m := address.FindStringSubmatch(r.URL.Path)
	if m == nil {
		refuse(w, http.StatusNotFound, "NAME_INVALID", "invalid repository name")
		return
	}
	all, err := l.descriptors()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	known := false
	for name := range all {
		known = known || strings.HasPrefix(name, m[1]+":")
	}
	switch {
	case !known:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
	case m[2] == "blobs":
		l.serveBlob(w, r, m[3])
	default:
		l.serveManifest(w, r, all, m[1], m[3])
	}
}

func (l *Library) serveManifest(w http.ResponseWriter, r *http.Request, all map[string]v1.Descriptor, repository, reference string) {
	hash, err := v1.NewHash(reference)
	if err != nil {
		d, ok := all[repository+":"+reference]
		if !ok {
			refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
			return
		}
		hash = d.Digest
	}
	raw, err := os.ReadFile(l.blob(hash))
	var manifest struct{ MediaType types.MediaType }
	if err != nil || json.Unmarshal(raw, &manifest) != nil || manifest.MediaType == "" {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
		return
	}
	w.Header().Set("Content-Type", string(manifest.MediaType))
	w.Header().Set("Docker-Content-Digest", hash.String())
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(raw)))
}

func (l *Library) serveBlob(w http.ResponseWriter, r *http.Request, digest string) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	f, err := os.Open(l.blob(hash))
	if err != nil {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", hash.String())
	http.ServeContent(w, r, "", time.Time{}, f)
}

func (l *Library) blob(h v1.Hash) string {
	return filepath.Join(l.dir, "blobs", h.Algorithm, h.Hex)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

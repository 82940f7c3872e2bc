package imagesigner

import (
	"context"
	"encoding/pem"
	"net/http"
)

// Authority certifies the keys that AWS Signer signs with.
type Authority interface {
	Root(context.Context) ([]byte, error)
}

// Root answers the certificate of the authority, in PEM, which verifiers of signatures are
// to trust.
func Root(a Authority) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		der, err := a.Root(r.Context())
		if err != nil {
			http.Error(w, "the certificate cannot be had", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a client that has left needs no answer
	}
}

package awsdoor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"neargate/auth"
)

// layerBucket is the bucket in which Amazon ECR keeps the layers of a region.
// Source: Amazon ECR User Guide, Amazon ECR interface VPC endpoints.
func layerBucket(region string) string { return "prod-" + region + "-starport-layer-bucket" }

// LayerURL is what the URLs of layers of a region begin with for those who come
// through a door.
func LayerURL(region string) string {
	return "https://" + layerBucket(region) + ".s3." + region + ".amazonaws.com"
}

// Layers serves Amazon S3 with the buckets of layers: what is asked of those is the
// registries', and everything else objects'. pass decides whether a request may pass
// the VPC endpoint that it came through.
func Layers(pass func(ctx context.Context, c auth.Caller, action, resource string) error, registries, objects http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, _, _ := strings.Cut(strings.ToLower(r.Host), ".")
		region, ok := strings.CutPrefix(bucket, "prod-")
		if ok {
			region, ok = strings.CutSuffix(region, "-starport-layer-bucket")
		}
		if !ok {
			objects.ServeHTTP(w, r)
			return
		}
		c := auth.Caller{Region: region, UserAgent: r.UserAgent(), Secure: r.TLS != nil, Via: auth.ViaOf(r.Context())}
		c.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr) // an address of a connection has both
		err := pass(r.Context(), c, "s3:GetObject", "arn:aws:s3:::"+bucket+r.URL.Path)
		if _, denied := errors.AsType[*auth.Denied](err); denied {
			refuse(w, http.StatusForbidden, "AccessDenied", "Access Denied")
			return
		}
		if err != nil {
			refuse(w, http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
			return
		}
		registries.ServeHTTP(w, r)
	})
}

// refuse answers an error as Amazon S3 does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>") // a client that has left needs no answer
}

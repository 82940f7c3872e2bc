package image

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strings"

	"neargate/arn"
)

// Amazon ECR gives layers out of buckets of its own, one a region, by presigned URLs.
const (
	LayerAccount   = "000000000000"         // that owns the buckets; no customer's
	LayerAccessKey = "AKIASTARPORTLAYERS00" // that signs the URLs; no customer's, whose ids have no 0
)

// LayerSecret is the secret of LayerAccessKey in the installation with the key.
func LayerSecret(installation [32]byte) string {
	h := hmac.New(sha256.New, installation[:])
	h.Write([]byte("ecr layers"))
	return hex.EncodeToString(h.Sum(nil))
}

// LayerBucket is the bucket of a region's layers, as policies of VPC endpoints name it.
// Source: Amazon ECR User Guide, "Amazon ECR interface VPC endpoints".
func LayerBucket(region string) string { return "prod-" + region + "-starport-layer-bucket" }

// LayerRegion is the region of a bucket of layers; ok is false for any other bucket.
func LayerRegion(bucket string) (region string, ok bool) {
	region = strings.TrimSuffix(strings.TrimPrefix(bucket, "prod-"), "-starport-layer-bucket")
	return region, bucket == LayerBucket(region) && arn.KnownRegion(region)
}

// LayerKey is the object with a layer that a registry has.
func LayerKey(account, digest string) string {
	return account + "/" + strings.TrimPrefix(digest, "sha256:")
}

// LayerDigest is the digest of the layer in an object; ok is false if none can be.
func LayerDigest(key string) (digest string, ok bool) {
	_, sum, ok := strings.Cut(key, "/")
	digest = "sha256:" + sum
	return digest, ok && ValidDigest(digest)
}

// LayerHost is the host at which a client that reached ECR at the given one finds the
// bucket, with the same port. ok is false where that is not by AWS's name: the client
// may know no other names than the one it uses.
func LayerHost(host, region string) (bucket string, ok bool) {
	name, port := host, ""
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, ":"+p
	}
	name = strings.ToLower(name)
	domain := arn.DNSSuffix(region)
	ok = strings.HasSuffix(name, "."+domain) || strings.HasSuffix(name, ".api.aws") || strings.HasSuffix(name, ".on.aws")
	return LayerBucket(region) + ".s3." + region + "." + domain + port, ok
}

package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"neargate/auth"
	"neargate/resource/identity"
	"neargate/resource/image"
	"neargate/resource/objects"
	"neargate/service/s3/internal/call"
	"neargate/service/s3/object"
	"neargate/wire/sigv4"
)

// layerKeys knows, beside the keys of customers, the one that signs the URLs of layers.
type layerKeys struct {
	sigv4.Keys
	secret string
}

// Key implements sigv4.Keys.
func (k layerKeys) Key(ctx context.Context, accessKeyID, sessionToken string) (sigv4.Key, error) {
	if accessKeyID != image.LayerAccessKey {
		return k.Keys.Key(ctx, accessKeyID, sessionToken)
	}
	id := image.LayerAccount
	return sigv4.Key{Secret: k.secret, Account: id, Principal: auth.Caller{
		Account: id, ARN: identity.RootARN(id), UserID: id, AccessKeyID: accessKeyID,
	}}, nil
}

// layer answers a request about a bucket of layers, which is ECR's own: nobody else may
// do anything with it, and ECR lets the bearers of its URLs read.
func layer(x *request, region string) error {
	x.Bucket = objects.Bucket{Name: x.Place.Bucket, Account: image.LayerAccount, Region: region}
	switch {
	case x.R.Method == http.MethodPut && x.Place.Key == "":
		x.Op = call.Operation{Name: "CreateBucket"}
		return call.Fail("BucketAlreadyExists", http.StatusConflict, "The requested bucket name is not available. "+
			"The bucket namespace is shared by all users of the system. Please select a different name and try again.", call.With("BucketName", x.Place.Bucket))
	case x.R.Method == http.MethodGet:
		x.Op = call.Op("GetObject", "s3:GetObject", nil)
	case x.R.Method == http.MethodHead:
		x.Op = call.Op("HeadObject", "s3:GetObject", nil)
	}
	digest, ok := image.LayerDigest(x.Place.Key)
	if x.Op.Action == "" || !ok || x.Caller.Account != image.LayerAccount {
		return call.Fail("AccessDenied", http.StatusForbidden, "Access Denied")
	}
	if x.Region != region {
		return call.WrongScope("the region '"+x.Region+"' is wrong; expecting '"+region+"'", call.With("Region", region))
	}
	if err := x.Admit(); err != nil {
		return err
	}
	f, err := x.Layers(digest)
	if errors.Is(err, image.ErrNoBlob) {
		return call.NoSuchKey(x.Place.Key)
	}
	if err != nil {
		return err
	}
	about, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return object.Deliver(x, &blob{f, objects.Version{
		Key: x.Place.Key, ID: objects.Null, Modified: about.ModTime(), Size: about.Size(), ETag: strings.TrimPrefix(digest, "sha256:"),
	}})
}

// blob is a layer as an object.
type blob struct {
	*os.File
	version objects.Version
}

// Version implements objects.Content.
func (b *blob) Version() objects.Version { return b.version }

// Unlock implements objects.Content.
func (*blob) Unlock(objects.DataKey) {}

// Range implements objects.Content.
func (b *blob) Range(offset, length int64) io.Reader {
	return io.NewSectionReader(b.File, offset, length)
}

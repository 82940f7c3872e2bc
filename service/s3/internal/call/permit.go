package call

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/auth/policy"
	"neargate/resource/objects"
	"neargate/service/s3/internal/bucketpolicy"
	"neargate/store"
)

// Allow decides about an action on the request's bucket, or on a key in it.
func (x *Request) Allow(action, key string) error {
	return x.AllowIn(&x.Bucket, action, key)
}

// AllowIn decides about an action on a bucket, or on a key in it. A bucket
// without a name stands for all.
func (x *Request) AllowIn(b *objects.Bucket, action, key string) error {
	u := auth.Use{Action: action, Resource: "*", Keys: x.conditionKeys(b, action, key)}
	if b.Name != "" {
		u.Resource = objects.BucketARN(x.Region, b.Name)
		u.On = auth.Resource{Account: b.Account, Policy: b.Policy}
		if key != "" {
			u.Resource += "/" + key
		}
		stranger := x.Anonymous || x.Caller.Account != b.Account
		if stranger && b.Policy != "" && b.Block != nil && b.Block.Restrict && bucketpolicy.Public(b.Policy) {
			return errAccessDenied
		}
	}
	err := x.Store.View(x.Ctx, func(tx store.Tx) error { return x.Auth.Allow(tx, x.Caller, u) })
	denied, ok := errors.AsType[*auth.Denied](err)
	switch {
	case !ok:
		return err
	case x.Anonymous || b.Account != "" && b.Account != x.Caller.Account:
		return errAccessDenied
	}
	return Fail("AccessDenied", http.StatusForbidden,
		fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %q %s", denied.Caller, denied.Action, denied.Resource, denied.Reason))
}

// conditionKeys are the condition keys of Amazon S3.
// Source: AWS Service Authorization Reference.
func (x *Request) conditionKeys(b *objects.Bucket, action, key string) policy.Context {
	keys := policy.Context{}
	set := func(name, value string) {
		if value != "" {
			keys.Set("s3:"+name, value)
		}
	}
	switch x.Form {
	case "SigV4":
		set("signatureversion", "AWS4-HMAC-SHA256")
		set("authType", "POST")
	case "SigV2":
		set("signatureversion", "AWS")
		set("authType", "POST")
	}
	if x.Claim != nil {
		set("signatureversion", "AWS4-HMAC-SHA256")
		set("signatureAge", strconv.FormatInt(max(0, x.Start.Sub(x.Claim.Time).Milliseconds()), 10))
		if x.Claim.Presigned {
			set("authType", "REST-QUERY-STRING")
		} else {
			set("authType", "REST-HEADER")
		}
	}
	set("ResourceAccount", b.Account)
	if x.R.TLS != nil {
		set("TlsVersion", map[uint16]string{0x0303: "1.2", 0x0304: "1.3"}[x.R.TLS.Version])
	}
	switch action {
	case "s3:ListBucket", "s3:ListBucketVersions":
		for _, name := range []string{"prefix", "delimiter", "max-keys"} {
			if x.Query.Has(name) {
				keys.Set("s3:"+name, x.Query.Get(name))
			}
		}
	case "s3:CreateBucket":
		if x.Region != arn.DefaultRegion {
			set("locationconstraint", x.Region)
		}
	}
	if strings.Contains(action, "Version") && key != "" {
		set("VersionId", x.Query.Get("versionId"))
	}
	for _, name := range []string{"x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-storage-class",
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm", "x-amz-object-ownership", "x-amz-website-redirect-location",
		"x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp"} {
		set(name, x.R.Header.Get(name))
	}
	set("if-match", x.R.Header.Get("If-Match"))
	set("if-none-match", x.R.Header.Get("If-None-Match"))
	if existingTags[action] {
		if v, err := x.Engine.Find(b.ID, key, x.Query.Get("versionId")); err == nil {
			for _, t := range v.Tags {
				keys.Set("s3:ExistingObjectTag/"+t.Key, t.Value)
			}
		}
	}
	if tags, err := headerTags(x.R.Header.Get("X-Amz-Tagging")); err == nil && len(tags) > 0 {
		var names []string
		for _, t := range tags {
			keys.Set("s3:RequestObjectTag/"+t.Key, t.Value)
			names = append(names, t.Key)
		}
		keys.Set("s3:RequestObjectTagKeys", names...)
	}
	return keys
}

// existingTags are the actions whose policies may ask for the tags of an object.
var existingTags = map[string]bool{
	"s3:GetObject": true, "s3:GetObjectVersion": true, "s3:GetObjectTagging": true, "s3:GetObjectVersionTagging": true,
	"s3:PutObjectTagging": true, "s3:PutObjectVersionTagging": true, "s3:DeleteObjectTagging": true, "s3:DeleteObjectVersionTagging": true,
	"s3:GetObjectAcl": true, "s3:GetObjectVersionAcl": true, "s3:DeleteObject": true, "s3:DeleteObjectVersion": true,
}

// Missing is the answer for a key that is not there: whoever may not list the
// bucket does not learn that.
func (x *Request) Missing(b *objects.Bucket, err error) error {
	if errors.Is(err, objects.ErrNoKey) || errors.Is(err, objects.ErrNoVersion) {
		if denied := x.AllowIn(b, "s3:ListBucket", ""); denied != nil {
			return denied
		}
	}
	return err
}

package s3

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

// admit decides whether the caller may do what the request asks. Operations
// without an action in their table decide themselves.
func (x *request) admit() error {
	if x.op.action == "" {
		return nil
	}
	action := x.op.action
	if id := x.query.Get("versionId"); id != "" && x.place.key != "" {
		if versioned, ok := versionActions[action]; ok {
			action = versioned
		}
	}
	return x.allow(action, x.place.key)
}

// versionActions are the actions of operations on a given version.
var versionActions = map[string]string{
	"s3:GetObject":           "s3:GetObjectVersion",
	"s3:DeleteObject":        "s3:DeleteObjectVersion",
	"s3:GetObjectTagging":    "s3:GetObjectVersionTagging",
	"s3:PutObjectTagging":    "s3:PutObjectVersionTagging",
	"s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
	"s3:GetObjectAcl":        "s3:GetObjectVersionAcl",
	"s3:PutObjectAcl":        "s3:PutObjectVersionAcl",
	"s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
}

// allow decides about an action on the request's bucket, or on a key in it.
func (x *request) allow(action, key string) error {
	return x.allowIn(&x.bucket, action, key)
}

// allowIn decides about an action on a bucket, or on a key in it. A bucket
// without a name stands for all.
func (x *request) allowIn(b *objects.Bucket, action, key string) error {
	u := auth.Use{Action: action, Resource: "*", Keys: x.conditionKeys(b, action, key)}
	if b.Name != "" {
		u.Resource = objects.BucketARN(x.region, b.Name)
		u.On = auth.Resource{Account: b.Account, Policy: b.Policy}
		if key != "" {
			u.Resource += "/" + key
		}
		stranger := x.anonymous || x.caller.Account != b.Account
		if stranger && b.Policy != "" && b.Block != nil && b.Block.Restrict && bucketpolicy.Public(b.Policy) {
			return errAccessDenied
		}
	}
	err := x.cfg.Store.View(x.ctx, func(tx store.Tx) error { return x.cfg.Auth.Allow(tx, x.caller, u) })
	denied, ok := errors.AsType[*auth.Denied](err)
	switch {
	case !ok:
		return err
	case x.anonymous || b.Account != "" && b.Account != x.caller.Account:
		return errAccessDenied
	}
	return fail("AccessDenied", http.StatusForbidden,
		fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %q %s", denied.Caller, denied.Action, denied.Resource, denied.Reason))
}

// conditionKeys are the condition keys of Amazon S3.
// Source: AWS Service Authorization Reference.
func (x *request) conditionKeys(b *objects.Bucket, action, key string) policy.Context {
	keys := policy.Context{}
	set := func(name, value string) {
		if value != "" {
			keys.Set("s3:"+name, value)
		}
	}
	if x.claim != nil {
		set("signatureversion", "AWS4-HMAC-SHA256")
		set("signatureAge", strconv.FormatInt(max(0, x.start.Sub(x.claim.Time).Milliseconds()), 10))
		if x.claim.Presigned {
			set("authType", "REST-QUERY-STRING")
		} else {
			set("authType", "REST-HEADER")
		}
	}
	set("ResourceAccount", b.Account)
	if x.r.TLS != nil {
		set("TlsVersion", map[uint16]string{0x0303: "1.2", 0x0304: "1.3"}[x.r.TLS.Version])
	}
	switch action {
	case "s3:ListBucket", "s3:ListBucketVersions":
		for _, name := range []string{"prefix", "delimiter", "max-keys"} {
			if x.query.Has(name) {
				keys.Set("s3:"+name, x.query.Get(name))
			}
		}
	case "s3:CreateBucket":
		if x.region != arn.DefaultRegion {
			set("locationconstraint", x.region)
		}
	}
	if strings.Contains(action, "Version") && key != "" {
		set("VersionId", x.query.Get("versionId"))
	}
	for _, name := range []string{"x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-storage-class",
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-object-ownership", "x-amz-website-redirect-location",
		"x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp"} {
		set(name, x.r.Header.Get(name))
	}
	set("if-match", x.r.Header.Get("If-Match"))
	set("if-none-match", x.r.Header.Get("If-None-Match"))
	if existingTags[action] {
		if v, err := x.cfg.Engine.Find(b.ID, key, x.query.Get("versionId")); err == nil {
			for _, t := range v.Tags {
				keys.Set("s3:ExistingObjectTag/"+t.Key, t.Value)
			}
		}
	}
	if tags, err := headerTags(x.r.Header.Get("X-Amz-Tagging")); err == nil && len(tags) > 0 {
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

// missing is the answer for a key that is not there: whoever may not list the
// bucket does not learn that.
func (x *request) missing(b *objects.Bucket, err error) error {
	if errors.Is(err, objects.ErrNoKey) || errors.Is(err, objects.ErrNoVersion) {
		if denied := x.allowIn(b, "s3:ListBucket", ""); denied != nil {
			return denied
		}
	}
	return err
}

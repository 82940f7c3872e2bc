// Package trailbuckets lets CloudTrail deliver to buckets.
package trailbuckets

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"

	"neargate/cmd/neargate/traillogs"
	"neargate/dataplane/trails"
	"neargate/resource/objects"
	"neargate/resource/trail"
	"neargate/service/cloudtrail"
	"neargate/service/kms"
	"neargate/service/s3"
	"neargate/wire/shape"
)

// Buckets is where CloudTrail delivers to, if the buckets' policies let it.
type Buckets struct {
	Inside s3.Inside
	Keys   *kms.Service
	Groups traillogs.Groups // of those trails that have log groups
}

// contextKey is what the encryption context of files names their trail by.
// Source: AWS CloudTrail User Guide, "Configure AWS KMS key policies for CloudTrail".
const contextKey = "aws:cloudtrail:arn"

// wanted is how files of a trail are encrypted; nil for the bucket's default.
func wanted(t *trail.Trail, key string) *s3.Wanted {
	if key == "" {
		return nil
	}
	context := `{"` + contextKey + `":"` + t.ARN() + `"}`
	return &s3.Wanted{Key: key, Context: base64.StdEncoding.EncodeToString([]byte(context))}
}

var (
	_ cloudtrail.Buckets = Buckets{}
	_ trails.Buckets     = Buckets{}
)

func agent(t *trail.Trail) s3.Agent {
	return s3.Agent{Service: "cloudtrail.amazonaws.com", Account: t.Account, Region: t.Region, Source: t.ARN()}
}

// MayDeliver implements cloudtrail.Buckets.
func (b Buckets) MayDeliver(ctx context.Context, t *trail.Trail) error {
	err := b.Inside.MayFor(ctx, agent(t), t.Bucket, "s3:GetBucketAcl", "")
	if err == nil {
		err = b.Inside.MayFor(ctx, agent(t), t.Bucket, "s3:PutObject", trail.Folder(t.Prefix, t.Account)+t.Region)
	}
	if err == nil && t.Validate {
		err = b.Inside.MayFor(ctx, agent(t), t.Bucket, "s3:PutObject", trail.DigestFolder(t.Prefix, t.Account)+t.Region)
	}
	switch {
	case errors.Is(err, s3.ErrNoBucket):
		return cloudtrail.ErrNoBucket
	case errors.Is(err, s3.ErrDenied):
		return cloudtrail.ErrDenied
	case err != nil || t.Key == "":
		return err
	}
	arn, err := b.Keys.MayUse(ctx, agent(t), "kms:GenerateDataKey", t.Key, map[string]string{contextKey: t.ARN()})
	switch {
	case shape.IsCode(err, "NotFoundException", "InvalidArnException"):
		return cloudtrail.ErrNoKey
	case shape.IsCode(err, "AccessDeniedException"):
		return cloudtrail.ErrKeyDenied
	case shape.IsCode(err, "DisabledException", "KMSInvalidStateException"):
		return cloudtrail.ErrKeyDisabled
	}
	t.Key = arn
	return err
}

// Put implements trails.Buckets.
func (b Buckets) Put(ctx context.Context, t *trail.Trail, f trails.File) error {
	about := objects.About{Headers: map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}, Metadata: f.Metadata}
	err := b.Inside.PutNewFor(ctx, agent(t), f.Bucket, f.Key, about, wanted(t, f.KMSKey), bytes.NewReader(f.Body))
	switch {
	case s3.Refusal(err) != "":
		return trails.Refused(s3.Refusal(err))
	case errors.Is(err, s3.ErrNoBucket):
		return trails.Refused("NoSuchBucket")
	case errors.Is(err, s3.ErrDenied):
		return trails.Refused("AccessDenied")
	}
	return err
}

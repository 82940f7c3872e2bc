// Package trailbuckets lets CloudTrail deliver to buckets.
package trailbuckets

import (
	"bytes"
	"context"
	"errors"

	"neargate/dataplane/trails"
	"neargate/resource/objects"
	"neargate/resource/trail"
	"neargate/service/cloudtrail"
	"neargate/service/s3"
)

// Buckets is where CloudTrail delivers to, if the buckets' policies let it.
type Buckets struct{ Inside s3.Inside }

var (
	_ cloudtrail.Buckets = Buckets{}
	_ trails.Buckets     = Buckets{}
)

func agent(t *trail.Trail) s3.Agent {
	return s3.Agent{Service: "cloudtrail.amazonaws.com", Account: t.Account, Region: t.Region, Source: t.ARN()}
}

// MayDeliver implements cloudtrail.Buckets.
func (b Buckets) MayDeliver(ctx context.Context, t *trail.Trail) error {
	if t.Key != "" {
		return cloudtrail.ErrNoKey
	}
	err := b.Inside.MayFor(ctx, agent(t), t.Bucket, "s3:GetBucketAcl", "")
	if err == nil {
		err = b.Inside.MayFor(ctx, agent(t), t.Bucket, "s3:PutObject", trail.Folder(t.Prefix, t.Account)+t.Region)
	}
	switch {
	case errors.Is(err, s3.ErrNoBucket):
		return cloudtrail.ErrNoBucket
	case errors.Is(err, s3.ErrDenied):
		return cloudtrail.ErrDenied
	}
	return err
}

// Put implements trails.Buckets.
func (b Buckets) Put(ctx context.Context, t *trail.Trail, to *trail.Batch, key string, body []byte) error {
	about := objects.About{Headers: map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}}
	err := b.Inside.PutNewFor(ctx, agent(t), to.Bucket, key, about, bytes.NewReader(body))
	switch {
	case errors.Is(err, s3.ErrNoBucket):
		return trails.Refused("NoSuchBucket")
	case errors.Is(err, s3.ErrDenied):
		return trails.Refused("AccessDenied")
	}
	return err
}

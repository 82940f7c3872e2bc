// Package logbuckets lets CloudWatch Logs export to buckets.
package logbuckets

import (
	"context"
	"errors"
	"io"

	"neargate/arn"
	"neargate/resource/objects"
	"neargate/service/logs/export"
	"neargate/service/s3"
)

// Buckets is where CloudWatch Logs exports to, if the buckets' policies let it.
type Buckets struct{ Inside s3.Inside }

var _ export.Buckets = Buckets{}

func logAgent(o export.Owner) s3.Agent {
	return s3.Agent{Service: "logs." + o.Region + ".amazonaws.com", Account: o.Account, Region: o.Region, Source: arn.New("logs", o.Region, o.Account, "log-group:*")}
}

// MayRead implements export.Buckets.
func (l Buckets) MayRead(ctx context.Context, o export.Owner, bucket string) error {
	b, err := l.Inside.Bucket(ctx, bucket)
	if err == nil && b.Region != o.Region {
		return export.ErrRegion
	}
	if err == nil {
		err = l.Inside.MayFor(ctx, logAgent(o), bucket, "s3:GetBucketAcl", "")
	}
	return exportError(err)
}

// Put implements export.Buckets.
func (l Buckets) Put(ctx context.Context, o export.Owner, bucket, key string, next func() ([]byte, error)) error {
	_, err := l.Inside.PutFor(ctx, logAgent(o), bucket, key, objects.About{}, &pieces{next: next})
	return exportError(err)
}

func exportError(err error) error {
	switch {
	case errors.Is(err, s3.ErrNoBucket):
		return export.ErrNoBucket
	case errors.Is(err, s3.ErrDenied):
		return export.ErrDenied
	}
	return err
}

// pieces reads what comes piece by piece.
type pieces struct {
	next func() ([]byte, error)
	rest []byte
}

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		var err error
		if p.rest, err = p.next(); err != nil {
			return 0, err
		}
		if len(p.rest) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

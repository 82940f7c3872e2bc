package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"neargate/arn"
	"neargate/auth"
	engine "neargate/dataplane/objects"
	"neargate/resource/objects"
	"neargate/service"
	"neargate/service/logs/export"
	"neargate/service/s3"
	"neargate/store"
	"neargate/store/tables/buckets"
	"neargate/wire"
	"neargate/wire/sigv4"
)

// openObjects opens what keeps the objects of Amazon S3.
func (d *daemon) openObjects() (*engine.Store, error) {
	key, err := d.dir.Secret("objects")
	if err != nil {
		return nil, err
	}
	return engine.Open(engine.Config{Dir: d.dir.Objects(), Log: d.log, Now: time.Now, IDs: d.ids, Key: key})
}

// bucketAPI is the API of Amazon S3.
func (d *daemon) bucketAPI(deps service.Deps, directory *auth.Directory, k sigv4.Keys) *s3.Server {
	return s3.New(s3.Config{
		Deps: deps, Engine: d.objects, Keys: k, Auth: directory, NoAuth: d.noAuth, Log: d.log,
		Observe: func(c s3.Call) {
			d.observe(wire.Call{
				ID: c.ID, Service: "s3", Operation: c.Operation, Region: c.Region, Account: c.Account, AccessKeyID: c.AccessKeyID,
				SourceIP: c.SourceIP, UserAgent: c.UserAgent, Status: c.Status, Code: c.Code, Start: c.Start, Duration: c.Duration, Err: c.Err,
				Principal: c.Caller, Input: &struct{ Bucket *string }{&c.Bucket},
			})
		},
	})
}

// withBuckets serves Amazon S3 before the other services: its requests are told by
// their signature or host, or, unsigned, by the name of a bucket that exists.
func (d *daemon) withBuckets(server *s3.Server, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s3.Serves(r) || d.unsignedObject(r) {
			server.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func (d *daemon) unsignedObject(r *http.Request) bool {
	name, may := s3.Unsigned(r)
	if !may {
		return false
	}
	found := false
	err := d.store.View(r.Context(), func(tx store.Tx) (err error) {
		_, found, err = buckets.Buckets.Find(tx, name)
		return err
	})
	return err == nil && found
}

// logBuckets is where CloudWatch Logs exports to, if the buckets' policies let it.
type logBuckets struct{ inside s3.Inside }

var _ export.Buckets = logBuckets{}

func logAgent(o export.Owner) s3.Agent {
	return s3.Agent{Service: "logs." + o.Region + ".amazonaws.com", Account: o.Account, Region: o.Region, Source: arn.New("logs", o.Region, o.Account, "log-group:*")}
}

// MayRead implements export.Buckets.
func (l logBuckets) MayRead(ctx context.Context, o export.Owner, bucket string) error {
	b, err := l.inside.Bucket(ctx, bucket)
	if err == nil && b.Region != o.Region {
		return export.ErrRegion
	}
	if err == nil {
		err = l.inside.MayFor(ctx, logAgent(o), bucket, "s3:GetBucketAcl")
	}
	return exportError(err)
}

// Put implements export.Buckets.
func (l logBuckets) Put(ctx context.Context, o export.Owner, bucket, key string, next func() ([]byte, error)) error {
	_, err := l.inside.PutFor(ctx, logAgent(o), bucket, key, objects.About{}, &pieces{next: next})
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

package main

import (
	"errors"
	"net/http"
	"time"

	"neargate/auth"
	"neargate/cmd/neargate/bucketcalls"
	"neargate/dataplane/logstore"
	engine "neargate/dataplane/objects"
	"neargate/service"
	"neargate/service/s3"
	"neargate/store"
	"neargate/store/tables/buckets"
	"neargate/wire/sigv4"
)

// openData opens what keeps log events and objects.
func (d *daemon) openData() (err error) {
	key, err := d.dir.Secret("objects")
	if err != nil {
		return err
	}
	if d.logs, err = logstore.Open(logstore.Config{Dir: d.dir.Logs(), Log: d.log}); err != nil {
		return err
	}
	d.objects, err = engine.Open(engine.Config{Dir: d.dir.Objects(), Log: d.log, Now: time.Now, IDs: d.ids, Key: key})
	if err != nil {
		return errors.Join(err, d.logs.Close())
	}
	return nil
}

// bucketAPI is the API of Amazon S3.
func (d *daemon) bucketAPI(deps service.Deps, directory *auth.Directory, k sigv4.Keys, vault s3.Vault) *s3.Server {
	return s3.New(s3.Config{
		Deps: deps, Engine: d.objects, Keys: k, Vault: vault, Auth: directory, NoAuth: d.noAuth, Log: d.log, Layers: d.ecr.blobs.Open,
		Observe: func(c s3.Call) { d.observe(bucketcalls.Of(&c, d.audit.Selecting())) },
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

package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/cmd/neargate/door"
	"neargate/control/images"
	"neargate/dataplane/registry"
	"neargate/dataplane/upstream"
	"neargate/resource/identity"
	record "neargate/resource/image"
	"neargate/service/ecr"
	tokens "neargate/service/ecr/registry"
	v2 "neargate/service/ecr/v2"
	"neargate/store"
	"neargate/store/tables/repositories"
	"neargate/wire"
)

// containers is Amazon ECR: its API, the registry protocol and where layers are.
type containers struct {
	api      *ecr.Service
	protocol *v2.Handler
	blobs    *registry.Store
	store    store.Store
	log      *slog.Logger
}

// openRegistries opens the store of layers and puts ECR together.
func (d *daemon) openRegistries() (*containers, error) {
	blobs, err := registry.Open(d.dir.Registry(), time.Now)
	if err != nil {
		return nil, err
	}
	r := &containers{blobs: blobs, store: d.store, log: d.log}
	r.api = ecr.New(d.deps(), blobs, upstream.New(d.mirrors), func() string { return "http://" + d.listener.Addr().String() })
	g := door.Gate{Directory: auth.NewDirectory(d.store, time.Now)}
	cfg := v2.Config{
		Images: r.api.Images(), Repositories: r.api, Tokens: tokens.NewTokens(d.deps()), Log: d.log,
		Gate: func(ctx context.Context, c auth.Caller, operation string, input any) (context.Context, error) {
			return g.Admit(ctx, wire.Request{
				ID: d.ids.UUID(), Service: "ecr", Operation: operation, Region: c.Region, Account: c.Account, Principal: c, Input: input,
				SourceIP: c.SourceIP, UserAgent: c.UserAgent, Host: c.Host, Secure: c.Secure, Time: time.Now(),
			})
		},
	}
	if d.noAuth {
		id := arn.DefaultAccount
		cfg.Anonymous = &auth.Caller{Account: id, Region: arn.DefaultRegion, ARN: identity.RootARN(id), UserID: id}
	}
	r.protocol = v2.New(cfg)
	return r, nil
}

// before serves the registry protocol, and leaves everything else to next.
func (r *containers) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if v2.Wants(req) {
			r.protocol.ServeHTTP(w, req)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// run collects what registries have no use for, until ctx ends.
func (r *containers) run(ctx context.Context) error {
	return r.blobs.Run(ctx, r.api.Images().Sweep, r.used, r.log)
}

// used reports whether a repository has a blob.
func (r *containers) used(ctx context.Context, digest string) (used bool, err error) {
	err = r.store.View(ctx, func(tx store.Tx) error {
		used = repositories.Used(tx, digest)
		return nil
	})
	return used, err
}

// mayReplicate decides whether a registry's policy lets another account copy images
// into it.
func mayReplicate(now func() time.Time) images.Permit {
	return func(tx store.Tx, r *record.Replica) (bool, error) {
		return auth.MayReplicate(tx, now(), r.Account, r.To.Region, record.ARN(r.To.Account, r.To.Region, r.Repository))
	}
}

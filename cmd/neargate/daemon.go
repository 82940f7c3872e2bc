package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"neargate/arn"
	"neargate/audit"
	"neargate/auth"
	"neargate/billing/book"
	"neargate/cmd/neargate/awsdoor"
	"neargate/cmd/neargate/door"
	"neargate/cmd/neargate/eventstores"
	"neargate/cmd/neargate/flowlogs"
	"neargate/cmd/neargate/imagesigner"
	"neargate/cmd/neargate/logbuckets"
	"neargate/cmd/neargate/trailbuckets"
	"neargate/cmd/neargate/traillogs"
	"neargate/dataplane/logstore"
	"neargate/dataplane/names"
	"neargate/dataplane/objects"
	"neargate/dataplane/relay"
	"neargate/dataplane/trails"
	"neargate/internal/ca"
	"neargate/internal/headroom"
	"neargate/internal/install"
	"neargate/internal/muxtls"
	"neargate/internal/profile"
	"neargate/internal/registries"
	"neargate/internal/room"
	"neargate/internal/telemetry"
	"neargate/service"
	"neargate/service/kms"
	"neargate/service/logs"
	"neargate/service/signer"
	"neargate/store"
	"neargate/store/etcd"
	"neargate/wire"
	"neargate/wire/sigv4"
)

// options are the flags of neargate up.
type options struct {
	dir                 install.Dir
	listen              string
	profile             string
	noAuth, noThrottle  bool
	limitsFile          string
	logLevel, logFormat string
	host                hostOptions
}

// grace is how long requests in progress may take when the daemon ends.
const grace = 5 * time.Second

// daemon is a running installation.
type daemon struct {
	options
	log     *slog.Logger
	tel     *telemetry.Telemetry
	room    *room.Room // for the store
	store   *etcd.Store
	logs    *logstore.Store
	logAPI  *logs.Service
	flows   flowlogs.Sink
	objects *objects.Store
	usage   *book.Book
	mirrors registries.Config
	ecr     *containers
	signer  *imagesigner.Worker
	trail   eventstores.Stores
	trailTo trailbuckets.Buckets
	audit   *audit.Recorder
	ids     *arn.Source
	admin   *admin
	limits  limits
	key     [32]byte // seals pagination tokens
	master  [32]byte // seals the material of KMS keys
	pool    netip.Prefix
	tasks   *tasksHost

	listener  net.Listener // of the front door
	authority *ca.CA
	door      http.Handler
	doors     *awsdoor.Doors // of tasks
	names     names.Config   // that they find AWS by
	relays    *relay.Table   // by which they reach mirrors
	socket    net.Listener   // of the administration interface
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, std stdio, o options) (err error) {
	started := time.Now()
	log, err := logger(std, o)
	if err != nil {
		return err
	}
	d := &daemon{options: o, log: log, ids: arn.NewSource(rand.Reader)}
	if !o.noThrottle {
		if d.limits, err = readLimits(o.limitsFile); err != nil {
			return err
		}
	}
	if err := o.examine(); err != nil {
		return err
	}
	if err := o.dir.Make(); err != nil {
		return err
	}
	release, err := o.dir.Lock()
	if err != nil {
		return err
	}
	defer release()
	if d.listener, err = listen(o); err != nil {
		return err
	}
	defer d.listener.Close()
	if d.tel, err = telemetry.New(ctx, os.Getenv, version()); err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err = errors.Join(err, d.tel.Close(last))
	}()
	if err := d.readSecrets(); err != nil {
		return err
	}
	if d.room, err = room.Open(o.dir.Store(), log); err != nil {
		return err
	}
	if d.store, err = etcd.Open(ctx, etcd.Config{Dir: o.dir.Store(), Logger: log, Full: d.room.Gone}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, d.store.Close()) }()
	if err := d.openData(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.logs.Close(), d.objects.Close()) }()
	if err := d.openTrail(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.closeTrail()) }()
	if o.host.registries != "" {
		if d.mirrors, err = registries.Read(o.host.registries); err != nil {
			return err
		}
	}
	if d.ecr, err = d.openRegistries(); err != nil {
		return err
	}
	if err := d.openUsage(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.usage.Ledger.Close()) }()
	d.admin = &admin{dir: o.dir, store: d.store, usage: d.usage, now: time.Now, ids: d.ids}
	root, err := d.admin.ensureRoot(ctx)
	if err != nil {
		return err
	}
	if d.pool, err = o.host.publicPool(o.dir); err != nil {
		return err
	}
	d.admin.pool = d.pool
	if d.authority, err = ca.Open(o.dir.CA(), time.Now); err != nil {
		return err
	}
	if d.door, err = d.frontDoor(ctx); err != nil {
		return err
	}
	if d.tasks, err = d.openHost(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.tasks.close()) }()
	if d.socket, err = adminSocket(o.dir.Socket()); err != nil {
		return err
	}
	defer d.socket.Close()
	run := install.Run{PID: os.Getpid(), Started: started, Address: d.listener.Addr().String(), Version: version()}
	if err := d.announce(run, root); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.dir.ClearRun()) }()
	log.Info("neargate answers", "url", run.URL(), "data", string(o.dir), "version", run.Version, "took", time.Since(started).Round(time.Millisecond))
	return d.run(ctx)
}

// readSecrets reads the installation's secrets, or makes them.
func (d *daemon) readSecrets() (err error) {
	if d.key, err = d.dir.Secret("tokens"); err != nil {
		return err
	}
	d.master, err = d.dir.Secret("kms")
	return err
}

// openTrail opens what records calls.
func (d *daemon) openTrail() (err error) {
	if d.trail, err = eventstores.Open(d.dir, d.log); err != nil {
		return err
	}
	d.audit = audit.New(d.store, d.trail.Management, d.trail.Data, d.ids, d.log)
	return nil
}

// closeTrail records the last calls.
func (d *daemon) closeTrail() error {
	d.audit.Flush()
	return d.trail.Close()
}

// announce publishes how to reach the daemon, to neargate's own commands and to
// the AWS CLI.
func (d *daemon) announce(run install.Run, root install.Credentials) error {
	if d.profile != "" {
		err := saveProfile(d.profile, run, root)
		if errors.Is(err, profile.ErrForeign) {
			d.log.Warn("the AWS profile is yours and stays as it is; neargate env prints what it needs", "profile", d.profile)
		} else if err != nil {
			d.log.Warn("the AWS profile could not be written", "profile", d.profile, "error", err)
		}
	}
	return d.dir.SaveRun(run)
}

// run does all work of the daemon; it ends when ctx does, or when a part fails.
func (d *daemon) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	part := func(name string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	part("administration", d.serveAdmin)
	part("front door", func(ctx context.Context) error {
		return muxtls.Serve(ctx, d.listener, d.authority.TLSConfig(), d.door, d.log, grace)
	})
	for _, c := range controllers(time.Now, d.ids, d.pool, d.master) {
		part("controller "+c.Describe().Name, func(ctx context.Context) error { return c.Run(ctx, d.env()) })
	}
	d.runLogs(part)
	part("audit", d.audit.Run)
	wg.Go(func() { headroom.Keep(ctx, headroom.Room()) })
	part("CloudTrail events", func(ctx context.Context) error { return d.trail.Run(ctx, d.log) })
	part("CloudTrail files", func(ctx context.Context) error {
		keys := trails.Keys{Store: d.store, Secret: d.master}
		return trails.New(trails.Config{Store: d.store, Management: d.trail.Management, Data: d.trail.Data, Buckets: d.trailTo, Groups: d.trailTo.Groups, Keys: keys, Now: time.Now}).Run(ctx, d.log)
	})
	part("objects", func(ctx context.Context) error { return d.objects.Run(ctx, d.store) })
	part("registries", d.ecr.run)
	part("signatures of images", d.signer.Run)
	part("usage", func(ctx context.Context) error { return d.usage.Ledger.Run(ctx, d.store, d.log) })
	if err := d.runHost(ctx, part); err != nil {
		cancel(err)
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// frontDoor is what listens on the port: the AWS APIs, and neargate's own pages
// under a path no AWS API uses.
// Streams of events end with ctx, before requests in progress do.
func (d *daemon) frontDoor(ctx context.Context) (http.Handler, error) {
	directory := auth.NewDirectory(d.store, time.Now)
	deps := d.deps()
	var known sigv4.Keys = door.Keys{Directory: directory}
	if d.noAuth {
		known = door.Anyone{Keys: door.Keys{Directory: directory}}
	}
	keyring := kms.New(deps, d.master)
	buckets := d.bucketAPI(deps, directory, known, keyring)
	d.logAPI = logs.New(deps, d.logs, logbuckets.Buckets{Inside: buckets.Inside()})
	gate := door.Gate{Directory: directory}
	signatures := signer.New(deps, d.master)
	d.signer = &imagesigner.Worker{Store: d.store, Gate: gate, Signer: signatures, Images: d.ecr.api.Images(), Observe: d.observe, Now: time.Now, IDs: d.ids, Log: d.log}
	d.trailTo = trailbuckets.Buckets{Inside: buckets.Inside(), Keys: keyring, Groups: traillogs.Groups{Gate: gate, Store: d.store, Logs: d.logAPI, Now: time.Now, IDs: d.ids}}
	d.flows = flowlogs.Sink{Gate: gate, Store: d.store, Logs: d.logAPI, Buckets: buckets.Inside(), Now: time.Now, IDs: d.ids}
	if err := keyring.Check(ctx); errors.Is(err, kms.ErrMaster) {
		d.log.Error("secrets and keys cannot be used", "error", err)
	} else if err != nil {
		return nil, err
	}
	cfg := wire.Config{
		Services: services(deps, apis{d.limits.Launches, d.logAPI, d.audit, d.trailTo, keyring, signatures, d.ecr.api, d.usage}),
		Keys:     known,
		Gate:     gate,
		NoAuth:   d.noAuth,
		Log:      d.log,
		Observe:  d.observe,
		Ending:   ctx,
	}
	if err := d.limits.known(cfg.Services); err != nil {
		return nil, err
	}
	cfg.Limits = d.limits.API
	mux := http.NewServeMux()
	front := wire.New(cfg)
	d.openDoors(front, buckets, cfg.Services)
	mux.Handle("/", d.ecr.before(front))
	mux.Handle("GET /_neargate/metrics", d.tel.Handler())
	mux.Handle("GET /_neargate/signer-root.pem", imagesigner.Root(signatures))
	mux.HandleFunc("GET /_neargate/health", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	return d.withBuckets(buckets, mux), nil
}

// deps is what services are made with.
func (d *daemon) deps() service.Deps {
	return service.Deps{Store: store.Limited(d.store, d.room.Full), Now: time.Now, IDs: d.ids, TokenKey: d.key, Public: d.pool}
}

// observe records a finished call.
func (d *daemon) observe(c wire.Call) {
	d.audit.Observe(c)
	d.tel.Call(context.Background(), telemetry.Call{
		Service: c.Service, Operation: c.Operation, Account: c.Account, Region: c.Region,
		RequestID: c.ID, Code: c.Code, Status: c.Status, Start: c.Start, Took: c.Duration,
	})
	level := slog.LevelDebug
	if c.Err != nil {
		level = slog.LevelError
	}
	if !d.log.Enabled(context.Background(), level) {
		return // before its arguments are put together
	}
	d.log.Log(context.Background(), level, "call", "service", c.Service, "operation", c.Operation, "status", c.Status,
		"code", c.Code, "account", c.Account, "region", c.Region, "took", c.Duration, "request", c.ID, "error", c.Err)
}

// adminSocket listens on a unix socket that only its owner can open.
func adminSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// serveAdmin serves the administration socket.
func (d *daemon) serveAdmin(ctx context.Context) error {
	server := &http.Server{Handler: d.admin.handler(), ReadHeaderTimeout: grace}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(d.socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listen opens the front door's port.
func listen(o options) (net.Listener, error) {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); o.noAuth && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--no-auth accepts any caller and is for loopback addresses only, not %s", o.listen)
	}
	return net.Listen("tcp", o.listen)
}

func logger(std stdio, o options) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	h := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(std.err, h)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(std.err, h)), nil
	}
	return nil, fmt.Errorf("--log-format: text or json, not %q", o.logFormat)
}

// seed is a random number for jitter.
func seed() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

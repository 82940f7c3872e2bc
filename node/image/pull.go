package image

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"neargate/node/image/layered"
)

// progressEvery is how often a pull tells how far it is.
const progressEvery = 250 * time.Millisecond

// pull is a pull that goes on.
type pull struct {
	*Library
	req      Request
	ref      string
	arch     string // as Go and images call it
	resolver remotes.Resolver
	fetcher  remotes.Fetcher
	letGo    []func()

	top, manifest ocispec.Descriptor
	documents     []blob // that led to the layers
	config        ocispec.Image
	layers        []layer     // the lowermost first
	came          atomic.Bool // part of a layer was downloaded by this pull
}

// layer is a layer of the image that is pulled.
type layer struct {
	packed ocispec.Descriptor
	diff   ocispec.Descriptor // of the archive, its digest only
	name   string             // of its directory
}

// Pull makes an image available, pins it for the task until Release, and returns
// it. A tag is resolved anew each time; what is here already is not downloaded
// again. Pulls that need the same blob or layer at once share the work: when one
// ends early, another goes on where it was.
func (l *Library) Pull(ctx context.Context, req Request) (Image, error) {
	ref, err := parse(req.Ref)
	if err != nil {
		return Image{}, err
	}
	if err := checkTask(req.Task); err != nil {
		return Image{}, err
	}
	arch, ok := architectures[strings.ToUpper(req.Arch)]
	if !ok {
		return Image{}, &Error{Text: fmt.Sprintf("unknown architecture %q", req.Arch)}
	}
	ctx = quiet(ctx)
	r := &remote{library: l, dial: req.Dial, dialMirror: req.DialMirror, login: req.Credentials, own: req.Own}
	defer r.close()
	p := &pull{Library: l, req: req, ref: ref, arch: arch, resolver: r.resolver()}
	defer p.end()
	if p.fetcher, err = p.resolver.Fetcher(ctx, ref); err != nil {
		return Image{}, &Error{Text: err.Error(), Err: err}
	}
	if err := l.try(ctx, stageManifest, func() (int64, error) { return 0, p.resolve(ctx) }); err != nil {
		return Image{}, err
	}
	i, here, err := p.reuse()
	if !here {
		if err := p.fill(ctx); err != nil {
			return Image{}, err
		}
		i, err = p.record()
	}
	if err == nil && req.Prove && !p.came.Load() {
		if err := p.prove(ctx); err != nil {
			return Image{}, err
		}
	}
	if err == nil {
		total := p.progress().Total
		p.say(Progress{Done: total, Total: total})
	}
	return i, err
}

// architectures are the CPU architectures of task definitions.
var architectures = map[string]string{"": "amd64", "X86_64": "amd64", "AMD64": "amd64", "ARM64": "arm64"}

// use keeps blobs and layers from being collected while the pull goes on.
func (p *pull) use(keys ...string) {
	p.letGo = append(p.letGo, p.hold(keys...))
}

func (p *pull) end() {
	for _, letGo := range p.letGo {
		letGo()
	}
}

// plan names the layers that the manifest and the configuration list.
func (p *pull) plan(packed []ocispec.Descriptor) error {
	diffs := p.config.RootFS.DiffIDs
	switch {
	case len(packed) != len(diffs):
		return permanent{fmt.Errorf("mismatched image rootfs and manifest layers: %d and %d", len(diffs), len(packed))}
	case len(packed) == 0:
		return permanent{fmt.Errorf("the image has no layers")}
	case len(packed) > mostLayers:
		return permanent{fmt.Errorf("the image has %d layers, more than %d", len(packed), mostLayers)}
	}
	for _, d := range diffs {
		if err := d.Validate(); err != nil {
			return permanent{fmt.Errorf("diff id %q: %w", d, err)}
		}
	}
	p.layers = nil
	p.came.Store(false) // what came so far were documents
	for i, chain := range identity.ChainIDs(append(diffs[:0:0], diffs...)) {
		d, err := checkLayer(packed[i])
		if err != nil {
			return err
		}
		p.layers = append(p.layers, layer{packed: d, diff: ocispec.Descriptor{Digest: diffs[i]}, name: encoded(chain.String())[:nameLength]})
	}
	return nil
}

// Limits of what overlayfs can mount: how many layers, and how long their names
// may be, all together, in a page.
const (
	mostLayers = 127
	nameLength = 20
)

// reuse pins the image if it is here.
func (p *pull) reuse() (Image, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.images[p.manifest.Digest.String()]
	if r == nil || !p.whole(r) {
		return Image{}, false, nil
	}
	i, err := p.pin(&record{Manifest: r.Manifest, Blobs: p.documents, Packed: r.Packed, Layers: r.Layers, Config: r.Config, Size: r.Size})
	return i, true, err
}

// record puts the image on record and pins it.
func (p *pull) record() (Image, error) {
	r := &record{Manifest: p.manifest.Digest.String(), Blobs: p.documents, Config: p.config.Config}
	for _, l := range p.layers {
		dir := p.path("layers", l.name)
		if layered.Opaque(dir) { // nothing below is seen
			r.Layers, r.Size = nil, 0
		}
		size, err := diskUsage(dir)
		if err != nil {
			return Image{}, p.failed(stageRef, 1, err)
		}
		r.Layers = append(r.Layers, l.name)
		r.Packed = append(r.Packed, blob{l.packed.Digest.String(), l.packed.Size})
		r.Size += size
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pin(r)
}

// pin records and pins. p.mu is locked.
func (p *pull) pin(r *record) (Image, error) {
	pin := pin{Ref: p.ref, Digest: p.top.Digest.String(), Manifest: r.Manifest}
	if err := p.pinned(p.req.Task, pin, r); err != nil {
		return Image{}, p.failed(stageRef, 1, err)
	}
	return p.image(pin, r), nil
}

// fill downloads and unpacks the layers that are missing: several at a time come,
// and they are unpacked from the bottom, each as soon as it can be.
func (p *pull) fill(ctx context.Context) error {
	for _, l := range p.layers {
		p.use(l.packed.Digest.String(), l.name)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var work sync.WaitGroup
	stop := p.tell()
	places := make(chan struct{}, downloadsPerPull)
	come := make([]chan struct{}, len(p.layers))
	for i, l := range p.layers {
		if exists(p.path("layers", l.name)) {
			p.reached(l.packed.Digest.String(), l.packed.Size)
			continue
		}
		here := make(chan struct{})
		come[i] = here
		work.Go(func() {
			give, err := take(ctx, places)
			if err == nil {
				defer give()
				err = p.get(ctx, l.packed)
			}
			if err != nil {
				cancel(err)
				return
			}
			close(here)
		})
	}
	for i := range p.layers {
		if come[i] == nil {
			continue
		}
		select {
		case <-come[i]:
			if err := p.unpack(ctx, i); err != nil {
				cancel(err)
			}
		case <-ctx.Done():
		}
	}
	work.Wait()
	err := context.Cause(ctx)
	cancel(nil)
	stop()
	return err
}

// prove asks for the beginning of a layer.
func (p *pull) prove(ctx context.Context) error {
	return p.try(ctx, stageRef, func() (int64, error) {
		rc, err := p.fetcher.Fetch(ctx, p.layers[0].packed)
		if err != nil {
			return 0, fmt.Errorf("failed to copy: %w", err)
		}
		defer rc.Close()
		if _, err := io.ReadFull(rc, make([]byte, 1)); err != nil {
			return 0, fmt.Errorf("failed to copy: %w", err)
		}
		return 0, nil
	})
}

// tell tells how far the pull is, now and then until it is stopped.
func (p *pull) tell() (stop func()) {
	if p.req.Progress == nil {
		return func() {}
	}
	quit := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		t := time.NewTicker(progressEvery)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				p.say(p.progress())
			}
		}
	})
	return func() { close(quit); told.Wait() }
}

// progress is how far the pull is.
func (p *pull) progress() (now Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.layers {
		now.Total += l.packed.Size
		if h := p.held[l.packed.Digest.String()]; h != nil {
			now.Done += min(h.done, l.packed.Size)
		}
	}
	return now
}

func (p *pull) say(now Progress) {
	if p.req.Progress != nil {
		p.req.Progress(now)
	}
}

package images

import (
	"context"
	"time"

	"neargate/resource/image"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// LayerKeep is how long a layer stays in a repository in which no image has it,
// from when it was last uploaded or looked for: as long as a push may take.
const LayerKeep = 24 * time.Hour

// sweepBatch bounds how many layers one transaction takes away.
const sweepBatch = 40

// Sweep takes from repositories the layers that no image of theirs has. A push that
// goes on meanwhile either has its layers or is told that one is missing.
func (s *Service) Sweep(ctx context.Context) error {
	var all []image.Repository
	err := s.Store.View(ctx, func(tx store.Tx) (err error) {
		all, err = store.Collect(repositories.Repositories.List(tx))
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range all {
		for more := true; more; {
			if more, err = s.sweep(ctx, &r); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep takes a batch of layers from a repository. It looks for one before it
// writes, so that a repository in order costs no transaction that could conflict.
func (s *Service) sweep(ctx context.Context, r *image.Repository) (more bool, err error) {
	var idle []image.Layer
	err = s.Store.View(ctx, func(tx store.Tx) (err error) {
		idle, err = s.idle(tx, r)
		return err
	})
	if err != nil || len(idle) == 0 {
		return false, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		idle, err := s.idle(tx, r)
		if err != nil {
			return err
		}
		more = len(idle) == sweepBatch
		for _, l := range idle {
			if err := repositories.Layers.Delete(tx, repositories.Layers.Key(&l)...); err != nil {
				return err
			}
		}
		return nil
	})
	return more, err
}

// idle are at most a batch of the layers that no image has and nobody has asked for
// in long.
func (s *Service) idle(tx store.Tx, r *image.Repository) (out []image.Layer, err error) {
	of := []string{r.Account, r.Region, r.Name}
	var old []image.Layer
	for l, err := range repositories.Layers.List(tx, of...) {
		if err != nil {
			return nil, err
		}
		if s.Now().Sub(l.At) >= LayerKeep {
			old = append(old, l)
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	needed := map[string]bool{}
	for i, err := range repositories.Images.List(tx, of...) {
		if err != nil {
			return nil, err
		}
		for _, b := range i.Blobs {
			needed[b.Digest] = true
		}
	}
	for _, l := range old {
		if !needed[l.Digest] && len(out) < sweepBatch {
			out = append(out, l)
		}
	}
	return out, nil
}

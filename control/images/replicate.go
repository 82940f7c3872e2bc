package images

import (
	"errors"
	"slices"
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/image"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// Why copies fail.
const (
	NotPermitted = "AccessDenied"
	TagIsFixed   = "ImageTagAlreadyExists"
)

// Copy names the copying of an image: the segments of its record's key.
type Copy [7]string

// Work is an image to copy and what its destination lacks.
type Work struct {
	Replica *image.Replica // nil: there is nothing to do
	Allowed bool           // the destination lets the source copy
	Gone    bool           // the image was deleted meanwhile
	Make    bool           // the destination has no such repository
	Made    image.Repository
	Layers  []image.Layer // to link, as they will be
	Images  []image.Image // to put, as they will be; what is in a list before it
	Tag     *image.Tag    // to put; nil: it is where it should be
	Fixed   bool          // the tag is on another image and stays there
}

// Step is one write of a copy.
type Step struct {
	Repository *image.Repository
	Layer      *image.Layer
	Image      *image.Image
	Tag        *image.Tag
	Replica    *image.Replica // with what became of it
}

// Permit reports whether a registry lets another account copy images into it.
type Permit func(tx store.Tx, r *image.Replica) (bool, error)

// Replicate is the controller that copies images to other registries. What their
// layers and manifests hold is kept once for all registries, so a copy is records.
func Replicate(ids *arn.Source, permit Permit) loop.Runner {
	return loop.Controller[Copy, Work, Step]{
		Name:    "replicate-images",
		Inputs:  []loop.Input[Copy]{{Prefix: store.Prefix(repositories.Replicas.Name), Keys: unfinished}},
		Outputs: outputs(repositories.Repositories.Prefixes(), repositories.Images.Prefixes(), repositories.Tags.Prefixes(), repositories.Layers.Prefixes(), repositories.Replicas.Prefixes()),
		Load:    func(tx store.Tx, k Copy) (Work, error) { return gather(tx, k, permit) },
		Plan:    func(now time.Time, w Work) ([]Step, time.Time) { return PlanCopy(now, w, ids.UUID) },
		Write:   take,
	}
}

func unfinished(_ store.Tx, e store.Event) ([]Copy, error) {
	if e.Val == nil {
		return nil, nil
	}
	r, err := repositories.Replicas.Decode(e.Val)
	if err != nil || r.Status != image.InProgress {
		return nil, err
	}
	return []Copy{Copy(repositories.Replicas.Key(&r))}, nil
}

// gather finds what the destination lacks of an image.
func gather(tx store.Tx, k Copy, permit Permit) (w Work, err error) {
	r, ok, err := repositories.Replicas.Find(tx, k[:]...)
	if err != nil || !ok || r.Status != image.InProgress {
		return w, err
	}
	w.Replica = &r
	w.Allowed = r.To.Account == r.Account
	if !w.Allowed {
		if w.Allowed, err = permit(tx, &r); err != nil || !w.Allowed {
			return w, err
		}
	}
	to, ok, err := repositories.Repositories.Find(tx, r.To.Account, r.To.Region, r.Repository)
	if err != nil {
		return w, err
	}
	if !ok {
		templates, err := store.Collect(repositories.Templates.List(tx, r.To.Account, r.To.Region))
		if err != nil {
			return w, err
		}
		w.Make = true
		to = image.Make(r.To.Account, r.To.Region, r.Repository, image.ForReplication, templates, "", time.Time{})
		w.Made = to
	}
	if err := w.lacks(tx, r.Digest, map[string]bool{}); errors.Is(err, store.ErrNotFound) {
		w.Gone = true
		return w, nil
	} else if err != nil {
		return w, err
	}
	return w, w.tag(tx, &to)
}

// lacks adds an image, and before it its layers and what is in it, unless the
// destination has it.
func (w *Work) lacks(tx store.Tx, digest string, seen map[string]bool) error {
	r := w.Replica
	if _, ok, err := repositories.Images.Find(tx, r.To.Account, r.To.Region, r.Repository, digest); err != nil || ok || seen[digest] {
		return err
	}
	seen[digest] = true
	i, err := repositories.Images.Get(tx, r.Account, r.Region, r.Repository, digest)
	if err != nil {
		return err
	}
	for _, c := range i.Children {
		if err := w.lacks(tx, c, seen); err != nil {
			return err
		}
	}
	for _, b := range i.Blobs {
		if b.Elsewhere || seen[b.Digest] {
			continue
		}
		seen[b.Digest] = true
		if _, ok, err := repositories.Layers.Find(tx, r.To.Account, r.To.Region, r.Repository, b.Digest); err != nil {
			return err
		} else if ok {
			continue
		}
		l, err := repositories.Layers.Get(tx, r.Account, r.Region, r.Repository, b.Digest)
		if err != nil {
			return err
		}
		l.Account, l.Region = r.To.Account, r.To.Region
		w.Layers = append(w.Layers, l)
	}
	i.Account, i.Region, i.PulledAt = r.To.Account, r.To.Region, time.Time{}
	w.Images = append(w.Images, i)
	return nil
}

// tag finds what is to become of the tag.
func (w *Work) tag(tx store.Tx, to *image.Repository) error {
	r := w.Replica
	if r.Tag == "" {
		return nil
	}
	t, ok, err := repositories.Tags.Find(tx, to.Account, to.Region, to.Name, r.Tag)
	switch {
	case err != nil:
		return err
	case ok && t.Digest == r.Digest:
	case ok && to.TagIsFixed(r.Tag):
		w.Fixed = true
	default:
		w.Tag = &image.Tag{Account: to.Account, Region: to.Region, Repository: to.Name, Name: r.Tag, Digest: r.Digest}
	}
	return nil
}

// PlanCopy takes the steps that are left of a copy, as many as fit a transaction.
func PlanCopy(now time.Time, w Work, id func() string) (do []Step, wake time.Time) {
	if w.Replica == nil {
		return nil, time.Time{}
	}
	end := *w.Replica
	end.Status = image.Complete
	switch {
	case w.Gone:
		end.Status = "" // it is forgotten
		return []Step{{Replica: &end}}, time.Time{}
	case !w.Allowed:
		end.Status, end.Failure = image.Failed, NotPermitted
		return []Step{{Replica: &end}}, time.Time{}
	case w.Fixed:
		end.Status, end.Failure = image.Failed, TagIsFixed
	}
	if w.Make {
		made := w.Made
		made.ID, made.CreatedAt = id(), now
		if made.Lifecycle.Text != "" {
			made.Lifecycle.SetAt = now
		}
		do = append(do, Step{Repository: &made})
	}
	for _, l := range w.Layers {
		l.At = now
		do = append(do, Step{Layer: &l})
	}
	for _, i := range w.Images {
		i.PushedAt = now
		do = append(do, Step{Image: &i})
	}
	if w.Tag != nil {
		t := *w.Tag
		t.At = now
		do = append(do, Step{Tag: &t})
	}
	do = append(do, Step{Replica: &end})
	if len(do) > batch {
		return slices.Clone(do[:batch]), now
	}
	return do, time.Time{}
}

func take(tx store.Tx, s Step) error {
	switch {
	case s.Repository != nil:
		return repositories.Repositories.Put(tx, s.Repository)
	case s.Layer != nil:
		return repositories.Layers.Put(tx, s.Layer)
	case s.Image != nil:
		return repositories.Images.Put(tx, s.Image)
	case s.Tag != nil:
		return repositories.Tags.Put(tx, s.Tag)
	case s.Replica.Status == "":
		return repositories.Replicas.Delete(tx, repositories.Replicas.Key(s.Replica)...)
	}
	return repositories.Replicas.Put(tx, s.Replica)
}

package images_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/control/images"
	"neargate/control/loop"
	"neargate/resource/image"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables/repositories"
)

const account, other, region = "123456789012", "210987654321", "us-east-1"

type world struct {
	t   *testing.T
	s   store.Store
	now time.Time
}

func newWorld(t *testing.T) *world {
	return &world{t, mem.New(), time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}
}

func (w *world) update(f func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.s.Update(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

// image stores an image with a layer, some days old.
func (w *world) image(repo, digest string, days int, children []string, tags ...string) {
	w.update(func(tx store.Tx) error {
		i := image.Image{Account: account, Region: region, Repository: repo, Digest: digest, PushedAt: w.now.AddDate(0, 0, -days), Children: children}
		if len(children) == 0 {
			l := image.Layer{Account: account, Region: region, Repository: repo, Digest: "layer-" + digest, Size: 1}
			i.Blobs = []image.Blob{{Digest: l.Digest, Size: 1}}
			if err := repositories.Layers.Put(tx, &l); err != nil {
				return err
			}
		}
		for _, name := range tags {
			t := image.Tag{Account: account, Region: region, Repository: repo, Name: name, Digest: digest, At: i.PushedAt}
			if err := repositories.Tags.Put(tx, &t); err != nil {
				return err
			}
		}
		return repositories.Images.Put(tx, &i)
	})
}

func (w *world) repository(r image.Repository) {
	r.Account, r.Region = account, region
	w.update(func(tx store.Tx) error { return repositories.Repositories.Put(tx, &r) })
}

// settle runs a controller until it has nothing to do at the world's time, and
// returns when it will have.
func (w *world) settle(c loop.Runner) time.Time {
	w.t.Helper()
	st := c.Stepper(1)
	for range 100 {
		if err := st.List(w.t.Context(), w.s); err != nil {
			w.t.Fatal(err)
		}
		acted := false
		for {
			ran, pass := st.Step(w.t.Context(), w.s, w.now)
			if !ran {
				break
			}
			if pass.Err != nil {
				w.t.Fatal(pass.Err)
			}
			acted = acted || pass.Actions > 0
		}
		if !acted {
			next, _ := st.Next()
			return next
		}
	}
	w.t.Fatal("the controller does not settle")
	return time.Time{}
}

// digests are the images of a repository.
func (w *world) digests(account, region, repo string) string {
	w.t.Helper()
	var out []string
	err := w.s.View(context.Background(), func(tx store.Tx) error {
		for i, err := range repositories.Images.List(tx, account, region, repo) {
			if err != nil {
				return err
			}
			out = append(out, i.Digest)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(out, " ")
}

const policy = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":10},"action":{"type":"expire"}},` +
	`{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`

func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	w.repository(image.Repository{Name: "app", Lifecycle: image.Lifecycle{Text: policy, SetAt: w.now}})
	w.repository(image.Repository{Name: "free"})
	w.image("app", "new", 1, nil, "v3")
	w.image("app", "mid", 5, nil, "v2")
	w.image("app", "old", 8, nil, "v1")
	w.image("app", "untagged", 8, nil)
	w.image("app", "ancient", 30, nil)
	w.image("free", "ancient", 30, nil)
	next := w.settle(images.Lifecycle())
	if got := w.digests(account, region, "app"); got != "mid new untagged" {
		t.Errorf("left: %s", got)
	}
	if got := w.digests(account, region, "free"); got != "ancient" {
		t.Errorf("without a policy: %q", got)
	}
	if !next.Equal(w.now.Add(images.EvaluateEvery)) {
		t.Errorf("next at %s", next)
	}
	evaluated := func() time.Time {
		t.Helper()
		var r image.Repository
		if err := w.s.View(t.Context(), func(tx store.Tx) (err error) {
			r, err = repositories.Repositories.Get(tx, account, region, "app")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return r.Lifecycle.Evaluated
	}
	if got := evaluated(); !got.Equal(w.now) {
		t.Errorf("evaluated at %s", got)
	}
	w.now = w.now.AddDate(0, 0, 2) // the untagged one is ten days old
	w.settle(images.Lifecycle())
	if got := w.digests(account, region, "app"); got != "mid new" || !evaluated().Equal(w.now) {
		t.Errorf("left: %s, evaluated at %s", got, evaluated())
	}
}

// TestLifecycleBatches expires more than one transaction takes.
func TestLifecycleBatches(t *testing.T) {
	w := newWorld(t)
	w.repository(image.Repository{Name: "app", Lifecycle: image.Lifecycle{Text: policy, SetAt: w.now}})
	for n := range 50 {
		w.image("app", "i"+string(rune('A'+n)), n, nil, "t"+string(rune('A'+n)))
	}
	w.settle(images.Lifecycle())
	if got := w.digests(account, region, "app"); got != "iA iB" {
		t.Errorf("left: %s", got)
	}
}

func (w *world) replica(repo, digest, tag string, to image.Destination) image.Replica {
	r := image.Replica{Account: account, Region: region, Repository: repo, Digest: digest, Tag: tag, To: to, Status: image.InProgress}
	w.update(func(tx store.Tx) error { return repositories.Replicas.Put(tx, &r) })
	return r
}

func (w *world) status(r image.Replica) string {
	w.t.Helper()
	var got image.Replica
	if err := w.s.View(w.t.Context(), func(tx store.Tx) (err error) {
		got, _, err = repositories.Replicas.Find(tx, repositories.Replicas.Key(&r)...)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(got.Status + " " + got.Failure)
}

func TestReplicate(t *testing.T) {
	w := newWorld(t)
	w.repository(image.Repository{Name: "app"})
	var children []string
	for n := range 30 {
		children = append(children, "c"+string(rune('A'+n)))
		w.image("app", children[n], 1, nil)
	}
	w.image("app", "list", 1, children, "v1")
	ids := arn.NewSource(strings.NewReader(strings.Repeat("0123456789abcdef", 100)))
	may := false
	c := images.Replicate(ids, func(store.Tx, *image.Replica) (bool, error) { return may, nil })
	elsewhere, refused := image.Destination{Account: account, Region: "eu-west-1"}, image.Destination{Account: other, Region: region}
	r := w.replica("app", "list", "v1", elsewhere)
	no := w.replica("app", "list", "v1", refused)
	w.settle(c)
	if got := w.digests(account, "eu-west-1", "app"); len(strings.Fields(got)) != 31 || w.status(r) != image.Complete {
		t.Errorf("copied: %s, %s", got, w.status(r))
	}
	if got := w.digests(other, region, "app"); got != "" || w.status(no) != "FAILED AccessDenied" {
		t.Errorf("refused: %q, %s", got, w.status(no))
	}
	err := w.s.View(t.Context(), func(tx store.Tx) error {
		tag, err := repositories.Tags.Get(tx, account, "eu-west-1", "app", "v1")
		if err == nil && (tag.Digest != "list" || !repositories.Used(tx, "layer-cA")) {
			t.Errorf("tag %+v", tag)
		}
		_, e := repositories.Layers.Get(tx, account, "eu-west-1", "app", "layer-cA")
		return errors.Join(err, e)
	})
	if err != nil {
		t.Error(err)
	}

	may = true
	yes := w.replica("app", "cA", "", refused)
	w.settle(c)
	if got := w.digests(other, region, "app"); got != "cA" || w.status(yes) != image.Complete {
		t.Errorf("permitted: %q, %s", got, w.status(yes))
	}
	gone := w.replica("app", "none", "", elsewhere)
	w.settle(c)
	if got := w.status(gone); got != "" {
		t.Errorf("of an image that is gone: %s", got)
	}

	// A tag that may not move is not moved.
	w.update(func(tx store.Tx) error {
		to, err := repositories.Repositories.Get(tx, account, "eu-west-1", "app")
		if err != nil {
			return err
		}
		to.Mutability = image.Immutable
		return repositories.Repositories.Put(tx, &to)
	})
	fixed := w.replica("app", "cA", "v1", elsewhere)
	w.settle(c)
	if got := w.status(fixed); got != "FAILED ImageTagAlreadyExists" {
		t.Errorf("over an immutable tag: %s", got)
	}
}

// Package images applies the lifecycle policies of ECR repositories and copies
// images between registries.
package images

import (
	"time"

	"neargate/control/loop"
	"neargate/resource/image"
	"neargate/store"
	"neargate/store/tables/repositories"
)

const (
	// EvaluateEvery is how often a policy is applied at least.
	// Source: Amazon ECR User Guide, "How lifecycle policies work".
	EvaluateEvery = 24 * time.Hour
	// batch is how many images, or steps of copies, one pass takes.
	batch = 20
)

// Repository names one.
type Repository struct{ Account, Region, Name string }

// State is a repository with a lifecycle policy, and its images.
type State struct {
	Repository *image.Repository // nil: none, or without a policy
	Images     []image.Candidate
}

// Expiry is what a pass does: an image goes, or a repository's policy was applied.
type Expiry struct {
	Image     *image.Image
	Evaluated *image.Repository
}

// Lifecycle is the controller that expires images.
func Lifecycle() loop.Runner {
	return loop.Controller[Repository, State, Expiry]{
		Name: "expire-images",
		Inputs: []loop.Input[Repository]{
			{Prefix: store.Prefix(repositories.Repositories.Name), Keys: ofKey},
			{Prefix: store.Prefix(repositories.Images.Name), Keys: ofKey},
			{Prefix: store.Prefix(repositories.Tags.Name), Keys: ofKey},
		},
		Outputs: outputs(repositories.Repositories.Prefixes(), repositories.Images.Prefixes(), repositories.Tags.Prefixes(), repositories.Replicas.Prefixes(), repositories.Signings.Prefixes()),
		Load:    load,
		Plan:    PlanExpiry,
		Write:   write,
	}
}

func outputs(all ...[]string) (out []string) {
	for _, a := range all {
		out = append(out, a...)
	}
	return out
}

// ofKey is the repository that something changed in.
func ofKey(_ store.Tx, e store.Event) ([]Repository, error) {
	_, s := store.Segments(e.Key)
	return []Repository{{s[0], s[1], s[2]}}, nil
}

func load(tx store.Tx, k Repository) (s State, err error) {
	r, ok, err := repositories.Repositories.Find(tx, k.Account, k.Region, k.Name)
	if err != nil || !ok || r.Lifecycle.Text == "" {
		return s, err
	}
	s.Repository = &r
	s.Images, err = repositories.Candidates(tx, r.Account, r.Region, r.Name)
	return s, err
}

// PlanExpiry takes the images that the policy's rules expire, the oldest first, and
// notes that it was applied when there is something to note.
func PlanExpiry(now time.Time, s State) (do []Expiry, wake time.Time) {
	if s.Repository == nil {
		return nil, time.Time{}
	}
	r := *s.Repository
	rules, _, err := image.ParseLifecycle(r.Lifecycle.Text)
	if err != nil {
		return nil, time.Time{} // it was checked when it was set: of an older version
	}
	doomed, next := image.Evaluate(rules, s.Images, now)
	byDigest := map[string]*image.Image{}
	for i := range s.Images {
		byDigest[s.Images[i].Digest] = &s.Images[i].Image
	}
	for _, d := range doomed[:min(len(doomed), batch)] {
		do = append(do, Expiry{Image: byDigest[d.Digest]})
	}
	if len(doomed) > batch {
		return do, now
	}
	l := &r.Lifecycle
	if len(do) > 0 || l.Evaluated.Before(l.SetAt) || now.Sub(l.Evaluated) >= EvaluateEvery {
		l.Evaluated = now
		do = append(do, Expiry{Evaluated: &r})
	}
	if wake = l.Evaluated.Add(EvaluateEvery); !next.IsZero() && next.Before(wake) {
		wake = next
	}
	return do, wake
}

func write(tx store.Tx, e Expiry) error {
	if e.Evaluated != nil {
		return repositories.Repositories.Put(tx, e.Evaluated)
	}
	return repositories.DeleteImage(tx, e.Image)
}

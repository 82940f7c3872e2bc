// Package repositories names the key spaces of Amazon ECR's records. Keys begin
// with account and region.
package repositories

import (
	"neargate/resource/image"
	"neargate/store"
)

// Repositories keeps repositories by account, region, name.
var Repositories = store.Table[image.Repository]{
	Name: "ecr/repository",
	Key:  func(r *image.Repository) []string { return []string{r.Account, r.Region, r.Name} },
}

// Names of the indexes of images and tags.
const (
	// ImagesBySubject: account, region, repository, digest of the subject.
	ImagesBySubject = "ecr/image@subject"
	// ImagesByChild: account, region, repository, digest in a list.
	ImagesByChild = "ecr/image@child"
	// ImagesByDigest: digest; images of every registry.
	ImagesByDigest = "ecr/image@digest"
	// TagsByDigest: account, region, repository, digest.
	TagsByDigest = "ecr/tag@digest"
	// LayersByDigest: digest; layers of every registry.
	LayersByDigest = "ecr/layer@digest"
	// ReplicasByStatus: status.
	ReplicasByStatus = "ecr/replica@status"
	// SigningsInProgress: in the order of their keys.
	SigningsInProgress = "ecr/signing@progress"
)

// Images keeps images by account, region, repository, digest.
var Images = store.Table[image.Image]{
	Name: "ecr/image",
	Key:  func(i *image.Image) []string { return []string{i.Account, i.Region, i.Repository, i.Digest} },
	Indexes: []store.Index[image.Image]{
		{Name: ImagesBySubject, Keys: func(i *image.Image) [][]string {
			if i.Subject == "" {
				return nil
			}
			return [][]string{{i.Account, i.Region, i.Repository, i.Subject}}
		}},
		{Name: ImagesByChild, Keys: func(i *image.Image) (out [][]string) {
			for _, c := range i.Children {
				out = append(out, []string{i.Account, i.Region, i.Repository, c})
			}
			return out
		}},
		{Name: ImagesByDigest, Keys: func(i *image.Image) [][]string { return [][]string{{i.Digest}} }},
	},
}

// Tags keeps tags by account, region, repository, name.
var Tags = store.Table[image.Tag]{
	Name: "ecr/tag",
	Key:  func(t *image.Tag) []string { return []string{t.Account, t.Region, t.Repository, t.Name} },
	Indexes: []store.Index[image.Tag]{
		{Name: TagsByDigest, Keys: func(t *image.Tag) [][]string {
			return [][]string{{t.Account, t.Region, t.Repository, t.Digest}}
		}},
	},
}

// Layers keeps layers by account, region, repository, digest.
var Layers = store.Table[image.Layer]{
	Name: "ecr/layer",
	Key:  func(l *image.Layer) []string { return []string{l.Account, l.Region, l.Repository, l.Digest} },
	Indexes: []store.Index[image.Layer]{
		{Name: LayersByDigest, Keys: func(l *image.Layer) [][]string { return [][]string{{l.Digest}} }},
	},
}

// Registries keeps the settings of registries by account, region.
var Registries = store.Table[image.Registry]{
	Name: "ecr/registry",
	Key:  func(r *image.Registry) []string { return []string{r.Account, r.Region} },
}

// Templates keeps repository creation templates by account, region, prefix.
var Templates = store.Table[image.Template]{
	Name: "ecr/template",
	Key:  func(t *image.Template) []string { return []string{t.Account, t.Region, t.Prefix} },
}

// CacheRules keeps pull through cache rules by account, region, prefix.
var CacheRules = store.Table[image.CacheRule]{
	Name: "ecr/cacherule",
	Key:  func(c *image.CacheRule) []string { return []string{c.Account, c.Region, c.Prefix} },
}

// Previews keeps the last preview of a lifecycle policy by account, region,
// repository.
var Previews = store.Table[image.Preview]{
	Name: "ecr/preview",
	Key:  func(p *image.Preview) []string { return []string{p.Account, p.Region, p.Repository} },
}

// Replicas keeps the copying of images by account, region, repository, digest,
// destination and tag.
var Replicas = store.Table[image.Replica]{
	Name: "ecr/replica",
	Key: func(r *image.Replica) []string {
		return []string{r.Account, r.Region, r.Repository, r.Digest, r.To.Account, r.To.Region, r.Tag}
	},
	Indexes: []store.Index[image.Replica]{
		{Name: ReplicasByStatus, Keys: func(r *image.Replica) [][]string { return [][]string{{r.Status}} }},
	},
}

// Signings keeps the signing of images by account, region, repository, digest, ARN of
// the profile.
var Signings = store.Table[image.Signing]{
	Name: "ecr/signing",
	Key: func(s *image.Signing) []string {
		return []string{s.Account, s.Region, s.Repository, s.Digest, s.Profile}
	},
	Indexes: []store.Index[image.Signing]{
		{Name: SigningsInProgress, Keys: func(s *image.Signing) [][]string {
			if s.Status != image.InProgress {
				return nil
			}
			return [][]string{{}}
		}},
	},
}

// DeleteImage deletes an image with its tags, with what is known of its copies and
// signing, and with the artifacts that refer to it. Its layers stay until they are found to
// be of no use.
func DeleteImage(tx store.Tx, i *image.Image) error {
	tags, err := store.Collect(Tags.By(tx, TagsByDigest, i.Account, i.Region, i.Repository, i.Digest))
	if err != nil {
		return err
	}
	for _, t := range tags {
		if err := Tags.Delete(tx, t.Account, t.Region, t.Repository, t.Name); err != nil {
			return err
		}
	}
	copies, err := store.Collect(Replicas.List(tx, i.Account, i.Region, i.Repository, i.Digest))
	if err != nil {
		return err
	}
	for _, c := range copies {
		if err := Replicas.Delete(tx, Replicas.Key(&c)...); err != nil {
			return err
		}
	}
	signings, err := store.Collect(Signings.List(tx, i.Account, i.Region, i.Repository, i.Digest))
	if err != nil {
		return err
	}
	for _, s := range signings {
		if err := Signings.Delete(tx, Signings.Key(&s)...); err != nil {
			return err
		}
	}
	if err := Images.Delete(tx, i.Account, i.Region, i.Repository, i.Digest); err != nil {
		return err
	}
	referrers, err := store.Collect(Images.By(tx, ImagesBySubject, i.Account, i.Region, i.Repository, i.Digest))
	if err != nil {
		return err
	}
	for _, r := range referrers {
		if err := DeleteImage(tx, &r); err != nil {
			return err
		}
	}
	return nil
}

// Candidates are a repository's images as lifecycle rules see them.
func Candidates(tx store.Tx, account, region, name string) ([]image.Candidate, error) {
	tags := map[string][]image.Tag{}
	for t, err := range Tags.List(tx, account, region, name) {
		if err != nil {
			return nil, err
		}
		tags[t.Digest] = append(tags[t.Digest], t)
	}
	var out []image.Candidate
	there, inList := map[string]bool{}, map[string]bool{}
	for i, err := range Images.List(tx, account, region, name) {
		if err != nil {
			return nil, err
		}
		there[i.Digest] = true
		for _, c := range i.Children {
			inList[c] = true
		}
		image.SortTags(tags[i.Digest])
		c := image.Candidate{Image: i}
		for _, t := range tags[i.Digest] {
			c.Tags = append(c.Tags, t.Name)
		}
		out = append(out, c)
	}
	for i := range out {
		out[i].Kept = inList[out[i].Digest] || there[out[i].Subject]
	}
	return out, nil
}

// Used reports whether a repository of any registry has a blob, or a manifest.
func Used(tx store.Tx, digest string) bool {
	return Layers.CountBy(tx, LayersByDigest, digest) > 0 || Images.CountBy(tx, ImagesByDigest, digest) > 0
}

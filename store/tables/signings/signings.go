// Package signings names the key spaces of AWS Signer.
package signings

import (
	"time"

	"neargate/resource/signing"
	"neargate/store"
)

// Names of the indexes.
const (
	// ProfilesByEnd: when the profile is deleted, to the second.
	ProfilesByEnd = "signer/profile@end"
	// JobsByEnd: when the job is deleted, to the second.
	JobsByEnd = "signer/job@end"
	// JobsByTime: account, region, when the job was made.
	JobsByTime = "signer/job@time"
)

// Profiles keeps signing profiles by account, region, name.
var Profiles = store.Table[signing.Profile]{
	Name: "signer/profile",
	Key:  func(p *signing.Profile) []string { return []string{p.Account, p.Region, p.Name} },
	Indexes: []store.Index[signing.Profile]{{Name: ProfilesByEnd, Keys: func(p *signing.Profile) [][]string {
		if at := p.ForgetAt(); !at.IsZero() {
			return [][]string{{at.UTC().Format(time.RFC3339)}}
		}
		return nil
	}}},
}

// Jobs keeps signing jobs by account, region, id.
var Jobs = store.Table[signing.Job]{
	Name: "signer/job",
	Key:  func(j *signing.Job) []string { return []string{j.Account, j.Region, j.ID} },
	Indexes: []store.Index[signing.Job]{
		{Name: JobsByEnd, Keys: func(j *signing.Job) [][]string {
			return [][]string{{j.ForgetAt().UTC().Format(time.RFC3339)}}
		}},
		{Name: JobsByTime, Keys: func(j *signing.Job) [][]string {
			return [][]string{{j.Account, j.Region, j.CreatedAt.UTC().Format(time.RFC3339)}}
		}},
	},
}

// Authorities keeps the installation's authority.
var Authorities = store.Table[signing.Authority]{
	Name: "signer/authority",
	Key:  func(*signing.Authority) []string { return []string{"root"} },
}

// Authority is the installation's authority; ok is false before there is one.
func Authority(tx store.Tx) (a signing.Authority, ok bool, err error) {
	return Authorities.Find(tx, "root")
}

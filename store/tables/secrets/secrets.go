// Package secrets names the key spaces of AWS Secrets Manager.
package secrets

import (
	"time"

	"neargate/resource/secret"
	"neargate/store"
)

// Secrets keeps secrets by account, region, name.
var Secrets = store.Table[secret.Secret]{
	Name: "secretsmanager/secret",
	Key:  func(s *secret.Secret) []string { return []string{s.Account, s.Region, s.Name} },
	Indexes: []store.Index[secret.Secret]{{Name: ByDeletion, Keys: func(s *secret.Secret) [][]string {
		if s.DeletionAt.IsZero() {
			return nil
		}
		return [][]string{{s.DeletionAt.UTC().Format(time.RFC3339)}}
	}}},
}

// ByDeletion orders the secrets that will be deleted by when.
const ByDeletion = "secretsmanager/secret@deletion"

// Versions keeps the values of secrets by account, region, name, version.
var Versions = store.Table[secret.Version]{
	Name: "secretsmanager/version",
	Key:  func(v *secret.Version) []string { return []string{v.Account, v.Region, v.Name, v.ID} },
}

// Resolve finds the secret that a reference means; ok is false when there is none.
func Resolve(tx store.Tx, r secret.Reference) (s secret.Secret, ok bool, err error) {
	if r.Name == "" {
		return s, false, nil
	}
	if name, suffix, may := secret.Split(r.Name); r.ARN && may {
		s, ok, err = Secrets.Find(tx, r.Account, r.Region, name)
		if err != nil || ok && s.Suffix == suffix {
			return s, ok, err
		}
	}
	return Secrets.Find(tx, r.Account, r.Region, r.Name)
}

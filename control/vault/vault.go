// Package vault deletes what was stored with an end: parameters of SSM that expire,
// secrets of Secrets Manager whose recovery window is over, and signing profiles and
// jobs of AWS Signer of which no signature is valid any more.
package vault

import (
	"time"

	"neargate/control/loop"
	"neargate/resource/param"
	"neargate/resource/secret"
	"neargate/resource/signing"
	"neargate/store"
	"neargate/store/tables/parameters"
	"neargate/store/tables/secrets"
	"neargate/store/tables/signings"
)

// ending is a controller that deletes records once a time of their own has come. The
// index has them in the order of that time, to the second.
func ending[T any](name string, table store.Table[T], index string, outputs []string, until func(*T) time.Time, remove func(store.Tx, *T) error) loop.Runner {
	return loop.Controller[string, []T, T]{
		Name: name,
		Inputs: []loop.Input[string]{{Prefix: store.Prefix(index), Keys: func(_ store.Tx, e store.Event) ([]string, error) {
			if e.Val == nil {
				return nil, nil
			}
			return []string{"next"}, nil
		}}},
		Outputs: outputs,
		Load: func(tx store.Tx, _ string) ([]T, error) {
			return store.Collect(table.ByPage(tx, index, nil, "", 1))
		},
		Plan:  func(now time.Time, next []T) ([]T, time.Time) { return plan(now, next, until) },
		Write: func(tx store.Tx, r T) error { return remove(tx, &r) },
	}
}

// plan takes the next record if its time has come, and has another look at once.
func plan[T any](now time.Time, next []T, until func(*T) time.Time) ([]T, time.Time) {
	if len(next) == 0 {
		return nil, time.Time{}
	}
	if at := until(&next[0]); now.Before(at) {
		return nil, at
	}
	return next, now
}

// Parameters is the controller that deletes parameters whose policy says so.
func Parameters() loop.Runner {
	return ending("expire-parameters", parameters.Parameters, parameters.ByExpiry,
		append(parameters.Parameters.Prefixes(), parameters.Versions.Prefixes()...), (*param.Parameter).Expires, parameters.Delete)
}

// SigningProfiles is the controller that deletes signing profiles that were canceled or
// revoked long ago.
func SigningProfiles() loop.Runner {
	return ending("delete-signing-profiles", signings.Profiles, signings.ProfilesByEnd, signings.Profiles.Prefixes(), (*signing.Profile).ForgetAt,
		func(tx store.Tx, p *signing.Profile) error {
			return signings.Profiles.Delete(tx, signings.Profiles.Key(p)...)
		})
}

// SigningJobs is the controller that deletes signing jobs whose signatures expired long
// ago.
func SigningJobs() loop.Runner {
	return ending("delete-signing-jobs", signings.Jobs, signings.JobsByEnd, signings.Jobs.Prefixes(), (*signing.Job).ForgetAt,
		func(tx store.Tx, j *signing.Job) error { return signings.Jobs.Delete(tx, signings.Jobs.Key(j)...) })
}

// batch is how many values of a secret one pass deletes.
const batch = 100

// Secrets is the controller that deletes secrets, with their values first.
func Secrets() loop.Runner {
	return ending("delete-secrets", secrets.Secrets, secrets.ByDeletion,
		append(secrets.Secrets.Prefixes(), secrets.Versions.Prefixes()...),
		func(s *secret.Secret) time.Time { return s.DeletionAt }, removeSecret)
}

func removeSecret(tx store.Tx, s *secret.Secret) error {
	values, err := store.Collect(secrets.Versions.Page(tx, []string{s.Account, s.Region, s.Name}, nil, batch))
	if err != nil {
		return err
	}
	for i := range values {
		if err := secrets.Versions.Delete(tx, s.Account, s.Region, s.Name, values[i].ID); err != nil {
			return err
		}
	}
	if len(values) == batch {
		return nil
	}
	return secrets.Secrets.Delete(tx, s.Account, s.Region, s.Name)
}

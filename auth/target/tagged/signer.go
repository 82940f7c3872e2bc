package tagged

import (
	"neargate/resource/identity"
	"neargate/resource/signing"
	"neargate/store"
	"neargate/store/tables/signings"
)

// Signing is what decides about a signing profile of AWS Signer.
type Signing struct {
	Account, Version string
	Policy           string // that its permissions make
	Tags             []identity.Tag
}

// SigningProfile is what decides about a signing profile, or about a signing job of one,
// given by ARN; the zero Signing if there is none.
func SigningProfile(tx store.Tx, resource string) (s Signing, err error) {
	if account, region, id, ok := signing.ParseJob(resource); ok {
		j, found, err := signings.Jobs.Find(tx, account, region, id)
		if err != nil || !found {
			return s, err
		}
		resource = signing.ARN(account, region, j.Profile)
	}
	account, region, name, _, ok := signing.ParseProfile(resource)
	if !ok {
		return s, nil
	}
	p, found, err := signings.Profiles.Find(tx, account, region, name)
	if err != nil || !found {
		return s, err
	}
	return Signing{p.Account, p.Version, p.Policy(), Of(p.Tags)}, nil
}

// Package secretsmanager answers AWS Secrets Manager: secrets with versions and
// staging labels, their resource policies, their deletion, and random passwords.
package secretsmanager

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"neargate/auth"
	api "neargate/aws/secretsmanager"
	"neargate/resource/secret"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables/secrets"
	"neargate/wire/shape"
)

// Keys encrypts in the name of the caller, under keys the caller may use.
type Keys interface {
	Seal(ctx context.Context, service, action, key string, plaintext []byte, context map[string]string) (blob []byte, keyARN string, err error)
	Open(ctx context.Context, service string, blob []byte, context map[string]string) ([]byte, error)
}

// Service is the Secrets Manager API.
type Service struct {
	deps  service.Deps
	keys  Keys
	pages *page.Sealer
}

var _ api.API = (*Service)(nil)

// New returns the Secrets Manager API. Values are encrypted with keys.
func New(d service.Deps, keys Keys) *Service {
	return &Service{deps: d, keys: keys, pages: page.NewSealer(d.TokenKey)}
}

// now is the time in the precision of Secrets Manager.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Millisecond) }

// today is the day, in whose precision it is kept when secrets are read.
func (s *Service) today() time.Time { return s.deps.Now().UTC().Truncate(24 * time.Hour) }

func noSecret() error {
	return api.ResourceNotFoundException("Secrets Manager can't find the specified secret.")
}

// find finds a secret, also one whose deletion was asked for.
func find(ctx context.Context, tx store.Tx, id string) (secret.Secret, error) {
	c := auth.CallerFrom(ctx)
	r := secret.Parse(id, c.Account, c.Region)
	if r.Region != c.Region {
		return secret.Secret{}, noSecret()
	}
	sec, ok, err := secrets.Resolve(tx, r)
	if err == nil && !ok {
		err = noSecret()
	}
	return sec, err
}

// living is find for what may be done only with a secret that stays.
func living(ctx context.Context, tx store.Tx, id string) (secret.Secret, error) {
	sec, err := find(ctx, tx, id)
	if err == nil && sec.Deleted() {
		err = api.InvalidRequestException("You can't perform this operation on the secret because it was marked for deletion.")
	}
	return sec, err
}

// change lets f change a secret that stays and stores it.
func (s *Service) change(ctx context.Context, id string, f func(store.Tx, *secret.Secret) error) (sec secret.Secret, err error) {
	err = s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if sec, err = living(ctx, tx, id); err != nil {
			return err
		}
		if err := f(tx, &sec); err != nil {
			return err
		}
		return secrets.Secrets.Put(tx, &sec)
	})
	return sec, err
}

// value is a value as it is given: text or bytes.
type value struct {
	bytes  []byte
	binary bool
}

// given reads the value of a request; nil when there is none.
func given(text *string, binary []byte) (*value, error) {
	switch {
	case text != nil && binary != nil:
		return nil, api.InvalidParameterException("You can't specify both a binary secret value and a string secret value in the same secret.")
	case text != nil:
		return &value{[]byte(*text), false}, nil
	case binary != nil:
		return &value{binary, true}, nil
	}
	return nil, nil
}

// digest tells whether two values are the same without showing them.
func (s *Service) digest(v *value) []byte {
	h := hmac.New(sha256.New, s.deps.TokenKey[:])
	h.Write([]byte("secretsmanager\x00"))
	if v.binary {
		h.Write([]byte{1})
	}
	h.Write(v.bytes)
	return h.Sum(nil)
}

// about is the encryption context of a version.
func about(sec *secret.Secret, id string) map[string]string {
	return map[string]string{"SecretARN": sec.ARN(), "SecretVersionId": id}
}

// seal encrypts a value as a version of a secret.
func (s *Service) seal(ctx context.Context, sec *secret.Secret, id string, v *value) (secret.Version, error) {
	out := secret.Version{
		Account: sec.Account, Region: sec.Region, Name: sec.Name, ID: id, CreatedAt: s.now(),
		Digest: s.digest(v), Binary: v.binary, KeyID: sec.KeyID,
	}
	blob, _, err := s.keys.Seal(ctx, "secretsmanager", "kms:GenerateDataKey", sec.Key(), v.bytes, about(sec, id))
	out.Sealed = blob
	return out, keyError(err, api.EncryptionFailure("Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state."))
}

// open decrypts a version.
func (s *Service) open(ctx context.Context, sec *secret.Secret, v *secret.Version) ([]byte, error) {
	b, err := s.keys.Open(ctx, "secretsmanager", v.Sealed, about(sec, v.ID))
	return b, keyError(err, api.DecryptionFailure("Secrets Manager can't decrypt the protected secret text using the provided KMS key."))
}

// keyError says what KMS refused in the words of Secrets Manager.
func keyError(err error, failure *shape.Error) error {
	e, ok := errors.AsType[*shape.Error](err)
	switch {
	case !ok:
		return err
	case e.Code == "AccessDeniedException":
		return denied("Access to KMS is not allowed")
	}
	return failure
}

func denied(message string) error {
	e := shape.Errorf("AccessDeniedException", "%s", message)
	e.Member = "Message"
	return e
}

func invalid(format string, args ...any) error {
	e := shape.Errorf("ValidationException", format, args...)
	e.Member = "Message"
	return e
}

// maxVersions is how many versions are kept that have no staging label and are old.
const maxVersions = 100

// add stores a version and gives it staging labels; it drops the oldest versions
// without labels where there are too many.
func (s *Service) add(tx store.Tx, sec *secret.Secret, v *secret.Version, stages []string) error {
	for _, stage := range stages {
		sec.Move(stage, v.ID)
	}
	if err := checkStages(sec, v.ID); err != nil {
		return err
	}
	sec.Versions++
	sec.ChangedAt = v.CreatedAt
	if sec.Versions > maxVersions {
		if err := prune(tx, sec, v.CreatedAt.Add(-24*time.Hour)); err != nil {
			return err
		}
		if sec.Versions > 10*maxVersions {
			return api.LimitExceededException("You have exceeded the number of versions for this secret.")
		}
	}
	return secrets.Versions.Put(tx, v)
}

// prune deletes the oldest versions of a secret that have no staging label and are
// from before a time, as long as there are too many.
func prune(tx store.Tx, sec *secret.Secret, before time.Time) error {
	all, err := store.Collect(secrets.Versions.List(tx, sec.Account, sec.Region, sec.Name))
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b secret.Version) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for i := range all {
		if sec.Versions <= maxVersions || !all[i].CreatedAt.Before(before) {
			return nil
		}
		if len(sec.StagesOf(all[i].ID)) > 0 {
			continue
		}
		if err := secrets.Versions.Delete(tx, sec.Account, sec.Region, sec.Name, all[i].ID); err != nil {
			return err
		}
		sec.Versions--
	}
	return nil
}

// maxStages is how many staging labels a version may have.
const maxStages = 20

func checkStages(sec *secret.Secret, id string) error {
	if len(sec.StagesOf(id)) > maxStages {
		return api.LimitExceededException("You have exceeded the number of staging labels for this version.")
	}
	return nil
}

// put stores a value as the version a token names. A token that is used already must
// be for the same value.
func (s *Service) put(tx store.Tx, sec *secret.Secret, v *secret.Version, stages []string, asked bool) error {
	old, ok, err := secrets.Versions.Find(tx, sec.Account, sec.Region, sec.Name, v.ID)
	switch {
	case err != nil:
		return err
	case !ok:
		return s.add(tx, sec, v, stages)
	case !bytes.Equal(old.Digest, v.Digest):
		return api.ResourceExistsException("You can't use ClientRequestToken " + v.ID + " because that value is already in use for a version of secret " + sec.ARN() + ".")
	case asked:
		for _, stage := range stages {
			sec.Move(stage, v.ID)
		}
	}
	return checkStages(sec, v.ID)
}

// token is the token of a request that makes a version.
func token(t *string) (string, error) {
	if t == nil {
		return "", api.InvalidRequestException("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	}
	return *t, nil
}

func checkName(name string) error {
	for _, c := range []byte(name) {
		if !strings.ContainsRune("/_+=.@-!", rune(c)) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return invalid("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
		}
	}
	return nil
}

// text is nil for "".
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// date is nil for no time.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

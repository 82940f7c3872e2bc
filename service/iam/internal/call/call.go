// Package call holds what every IAM operation begins with and answers with: the
// store, the clock, pages of listings, and errors.
package call

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/service"
	"neargate/service/internal/page"
	"neargate/wire/shape"
)

// defaultItems is the page size of a request that names none.
const defaultItems = 100

// Env is what the operations work with.
type Env struct {
	service.Deps
	pages *page.Sealer
}

// New makes the environment of the operations.
func New(d service.Deps) Env { return Env{d, page.NewSealer(d.TokenKey)} }

// Time is the time in whole seconds, as IAM keeps it.
func (e Env) Time() time.Time { return e.Now().UTC().Truncate(time.Second) }

// Invalid refuses what a request says.
func Invalid(format string, args ...any) error {
	return shape.Errorf("ValidationError", format, args...)
}

// Either returns err, or otherwise when err is nil.
func Either(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Quota refuses what would exceed a quota.
func Quota(name string, limit int) error {
	return api.LimitExceededException(fmt.Sprintf("Cannot exceed quota for %s: %d", name, limit))
}

// Malformed refuses a policy document; err says what is wrong with it.
func Malformed(err error) error { return api.MalformedPolicyDocumentException(err.Error()) }

// Size counts the characters of a document that count against quotas: all but
// white space.
func Size(document string) int {
	n := utf8.RuneCountInString(document)
	for _, r := range document {
		if unicode.IsSpace(r) {
			n--
		}
	}
	return n
}

// Encode percent-encodes a policy document as IAM answers have it (RFC 3986;
// a blank is %20).
func Encode(document string) *string {
	return new(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}

// Deref is what p points to, or otherwise.
func Deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// Denied refuses a call as IAM words it.
func Denied(d *auth.Denied) error {
	return shape.NewError("AccessDenied", http.StatusForbidden, d.Error())
}

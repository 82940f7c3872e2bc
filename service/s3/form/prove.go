package form

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"neargate/service/s3/internal/call"
	"neargate/service/s3/internal/postpolicy"
	"neargate/wire/sigv4"
)

// The fields of signatures, as they are named when they are missing.
var (
	ofVersion4 = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"}
	ofVersion2 = []string{"AWSAccessKeyId", "Signature"}
)

// signature is the version that the form is signed with, "" for none.
func (f *form) signature() (version string, err error) {
	for _, v := range []struct {
		version string
		fields  []string
	}{{"SigV4", ofVersion4}, {"SigV2", ofVersion2}} {
		absent := ""
		n := 0
		for _, name := range v.fields {
			if _, ok := f.get(name); ok {
				n++
			} else if absent == "" {
				absent = name
			}
		}
		switch {
		case n == len(v.fields):
			return v.version, nil
		case n > 0:
			return "", missing(absent)
		}
	}
	return "", nil
}

// verify proves that the policy was signed by the owner of a key, who the request is of
// from then on.
func verify(x *request, f *form, version, policy string) error {
	var id, given string
	var sign func(secret string) string
	if version == "SigV4" {
		scope, err := credential(x, f)
		if err != nil {
			return err
		}
		id, given = scope[0], f.value("X-Amz-Signature")
		sign = func(secret string) string { return sigv4.SignText(secret, scope[1], scope[2], scope[3], policy) }
	} else {
		id, given = f.value("AWSAccessKeyId"), f.value("Signature")
		sign = func(secret string) string {
			h := hmac.New(sha1.New, []byte(secret))
			h.Write([]byte(policy))
			return base64.StdEncoding.EncodeToString(h.Sum(nil))
		}
	}
	if x.NoAuth {
		return nil
	}
	key, err := x.Lookup(id, f.value("X-Amz-Security-Token"))
	if err != nil {
		return err
	}
	if key.Secret == "" || subtle.ConstantTimeCompare([]byte(sign(key.Secret)), []byte(given)) != 1 {
		return call.Fail("SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
			call.With("AWSAccessKeyId", id), call.With("StringToSign", policy), call.With("SignatureProvided", given), call.With("StringToSignBytes", fmt.Sprintf("% x", policy)))
	}
	x.Anonymous, x.Form = false, version
	x.Become(key)
	return nil
}

var day = regexp.MustCompile(`^\d{8}$`)

// credential is what the signature's key is for: key id, day, region, service.
func credential(x *request, f *form) ([]string, error) {
	text := f.value("X-Amz-Credential")
	refuse := func(why string) error { return invalid(why, "X-Amz-Credential", text) }
	scope := strings.Split(text, "/")
	date := f.value("X-Amz-Date")
	_, err := time.Parse("20060102T150405Z", date)
	switch {
	case f.value("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
		return nil, invalid(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`, "X-Amz-Algorithm", f.value("X-Amz-Algorithm"))
	case len(scope) != 5:
		return nil, refuse(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	case scope[0] == "":
		return nil, refuse("a non-empty Access Key (AKID) must be provided in the credential.")
	case !day.MatchString(scope[1]):
		return nil, refuse(fmt.Sprintf("incorrect date format %q. This date in the credential must be in the format \"yyyyMMdd\".", scope[1]))
	case scope[2] != x.Bucket.Region && !x.NoAuth:
		return nil, call.Fail("InvalidArgument", 400, "the region '"+scope[2]+"' is wrong; expecting '"+x.Bucket.Region+"'",
			call.With("ArgumentName", "X-Amz-Credential"), call.With("ArgumentValue", text), call.With("Region", x.Bucket.Region))
	case scope[3] != "s3":
		return nil, refuse(fmt.Sprintf("incorrect service %q. This endpoint belongs to \"s3\".", scope[3]))
	case scope[4] != "aws4_request":
		return nil, refuse(fmt.Sprintf("incorrect terminal %q. This endpoint uses \"aws4_request\".", scope[4]))
	case err != nil:
		return nil, invalid("X-Amz-Date must be formated via ISO8601 Long format", "X-Amz-Date", date)
	}
	return scope, nil
}

// judge holds the form against the policy that was signed.
func judge(x *request, f *form, signed string) (*postpolicy.Policy, error) {
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(signed), ""))
	if err != nil {
		return nil, call.Fail("InvalidPolicyDocument", 400, "Invalid Policy: invalid Base64 encoding.")
	}
	p, err := postpolicy.Parse(text)
	if err == nil {
		err = p.Check(x.Place.Bucket, f.fields, x.Start)
	}
	if invalid, ok := errors.AsType[postpolicy.Invalid](err); ok {
		return nil, call.Fail("InvalidPolicyDocument", 400, invalid.Error())
	}
	if violation, ok := errors.AsType[postpolicy.Violation](err); ok {
		return nil, call.Fail("AccessDenied", 403, violation.Error())
	}
	return &p, err
}

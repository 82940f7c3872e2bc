package identity

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"neargate/arn"
)

// MFADevice is a virtual MFA device: a secret from which codes follow (RFC 6238).
type MFADevice struct {
	Account, Path, Name string
	CreatedAt           time.Time
	Secret              []byte
	Tags                []Tag  `json:",omitempty"`
	User                string `json:",omitempty"` // name of the user it is enabled for; "" for nobody
	UserIs              string `json:",omitempty"` // AIDA…, of User
	EnabledAt           time.Time
	Drift               int64 `json:",omitempty"` // of the device's clock, in steps
	Last                int64 `json:",omitempty"` // step of the last code that was accepted: none is twice
	Failures            int   `json:",omitempty"` // since then
	FailedIn            int64 `json:",omitempty"` // step of the last failure
}

// Parameters of codes: seconds of a step, digits, how far the clock of a device may be
// off when it is enabled, and afterwards from that; and wrong codes in a step after which
// no code is looked at until the next.
const (
	mfaStep   = 30
	mfaDigits = 6
	mfaDrift  = 20
	mfaWindow = 1
	mfaTries  = 5
)

// MFASecretLen is the length of a device's secret.
const MFASecretLen = 40

const mfaPrefix = "mfa"

// SerialNumber is the device's Amazon Resource Name.
func (d *MFADevice) SerialNumber() string { return iamARN(d.Account, mfaPrefix+d.Path+d.Name) }

// MFAName splits a serial number into account, path and name.
func MFAName(serial string) (account, path, name string, ok bool) {
	a, err := arn.Parse(serial)
	rest, is := strings.CutPrefix(a.Resource, mfaPrefix+"/")
	if err != nil || !is || a.Service != "iam" || !arn.ValidAccount(a.Account) {
		return "", "", "", false
	}
	i := strings.LastIndexByte(rest, '/')
	return a.Account, "/" + rest[:i+1], rest[i+1:], true
}

// Seed is the device's secret as people type it.
func (d *MFADevice) Seed() string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(d.Secret)
}

// URL is what applications that make codes read from a QR code.
func (d *MFADevice) URL() string {
	label := "Amazon Web Services:" + d.Name + "@" + d.Account
	return "otpauth://totp/" + url.PathEscape(label) + "?secret=" + d.Seed() + "&issuer=" + url.QueryEscape("Amazon Web Services")
}

func stepOf(t time.Time) int64 { return t.Unix() / mfaStep }

// Code is what the device shows at a time.
func (d *MFADevice) Code(at time.Time) string { return d.code(stepOf(at)) }

func (d *MFADevice) code(step int64) string {
	h := hmac.New(sha1.New, d.Secret)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := h.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", mfaDigits, n%1_000_000)
}

// Synchronize reports whether two codes are two that the device shows in succession
// around now, and then remembers how far its clock is off.
func (d *MFADevice) Synchronize(first, second string, now time.Time) bool {
	for off := int64(0); off <= mfaDrift; off++ {
		for _, drift := range []int64{-off, off} {
			step := stepOf(now) + drift
			if step > d.Last && hmac.Equal([]byte(d.code(step)), []byte(second)) && hmac.Equal([]byte(d.code(step-1)), []byte(first)) {
				d.Drift, d.Last, d.Failures = drift, step, 0
				return true
			}
		}
	}
	return false
}

// Accept reports whether a code is what the device shows now, for the first time. The
// device is to be stored either way: wrong codes are counted.
func (d *MFADevice) Accept(code string, now time.Time) bool {
	step := stepOf(now)
	if d.FailedIn != step {
		d.Failures, d.FailedIn = 0, step
	}
	if d.Failures >= mfaTries {
		return false
	}
	for off := int64(-mfaWindow); off <= mfaWindow; off++ {
		shown := step + d.Drift + off
		if shown > d.Last && hmac.Equal([]byte(d.code(shown)), []byte(code)) {
			d.Last, d.Failures = shown, 0
			return true
		}
	}
	d.Failures++
	return false
}

// Release takes the device from its user.
func (d *MFADevice) Release() {
	d.User, d.UserIs, d.EnabledAt, d.Drift, d.Last = "", "", time.Time{}, 0, 0
}

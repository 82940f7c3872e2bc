package signer

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"time"

	"neargate/resource/image/notary"
	"neargate/resource/signing"
)

// Attributes of a signature that say by what it was made.
const (
	profileAttribute = "com.amazonaws.signer.signingProfileVersion"
	jobAttribute     = "com.amazonaws.signer.signingJob"
)

// protected is the signed header of an envelope.
type protected struct {
	Algorithm string   `json:"alg"`
	Type      string   `json:"cty"`
	Critical  []string `json:"crit"`
	Scheme    string   `json:"io.cncf.notary.signingScheme"`
	Time      string   `json:"io.cncf.notary.authenticSigningTime"`
	Expiry    string   `json:"io.cncf.notary.expiry"`
	Plugin    string   `json:"io.cncf.notary.verificationPlugin"`
	Profile   string   `json:"com.amazonaws.signer.signingProfileVersion"`
	Job       string   `json:"com.amazonaws.signer.signingJob"`
}

// critical are the attributes that a verifier must understand.
var critical = []string{
	"io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime", "io.cncf.notary.expiry",
	"io.cncf.notary.verificationPlugin", profileAttribute, jobAttribute,
}

// envelope is a signature with what is signed: a JWS in flattened JSON.
// Source: Notary Project specification, "JWS Signature Envelope".
type envelope struct {
	Payload   string `json:"payload"`
	Protected string `json:"protected"`
	Header    header `json:"header"`
	Signature string `json:"signature"`
}

type header struct {
	Chain [][]byte `json:"x5c"`
}

// sign makes the envelope of a payload with the attributes that AWS Signer gives it.
func sign(key *ecdsa.PrivateKey, p *signing.Profile, j *signing.Job, payload []byte) ([]byte, error) {
	head, err := json.Marshal(protected{
		Algorithm: "ES384", Type: notary.PayloadType, Critical: critical, Scheme: "notary.x509.signingAuthority",
		Time: j.CreatedAt.Format(time.RFC3339), Expiry: j.ExpiresAt.Format(time.RFC3339),
		Plugin: "com.amazonaws.signer.notation.plugin", Profile: p.VersionARN(), Job: j.ARN(),
	})
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	e := envelope{Payload: encode(payload), Protected: encode(head), Header: header{p.Chain}}
	sum := sha512.Sum384([]byte(e.Protected + "." + e.Payload))
	r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	const half = 48 // bytes of a coordinate of P-384
	signature := make([]byte, 2*half)
	r.FillBytes(signature[:half])
	v.FillBytes(signature[half:])
	e.Signature = encode(signature)
	return json.Marshal(e)
}

// Package auth says who is calling and, from stored identities and policies,
// what they may do. It decides; it never speaks a wire protocol.
package auth

import (
	"context"

	"neargate/auth/target"
	"neargate/resource/identity"
)

// Caller is the proven identity behind a request together with where the
// request is addressed. It is attached to the context before a service sees the
// call; services take account and region from nowhere else.
type Caller struct {
	Account     string // 12 digits
	Region      string // region the request was signed for
	Partition   string // "aws", "aws-cn", "aws-us-gov"
	ARN         string // e.g. arn:aws:iam::123456789012:root, …:user/alice, arn:aws:sts::…:assumed-role/R/S
	UserID      string // AIDA…, AROA…:session, or the account id for the root user
	AccessKeyID string
	RequestID   string
	SourceIP    string
	UserAgent   string
	Host        string // that the request was sent to
	Secure      bool   // the request came over TLS
	Via         *Via   // the VPC endpoint it came through; nil: none
	By          string // the AWS service that asks in the caller's name, e.g. ecr.amazonaws.com; "": nobody else

	session *identity.Session // of ForTask
}

// asks is the caller as rules of what a call needs know them.
func (c Caller) asks() target.Caller {
	return target.Caller{Account: c.Account, Region: c.Region, ARN: c.ARN}
}

type callerKey struct{}

// WithCaller returns ctx carrying c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller attached to ctx. It panics when there is none:
// a service was reached without passing the front door.
func CallerFrom(ctx context.Context) Caller {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		panic("auth: no caller in context")
	}
	return c
}

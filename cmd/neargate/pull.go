package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"neargate/auth"
	awsecr "neargate/aws/ecr"
	"neargate/internal/direct"
	"neargate/node/image"
	"neargate/resource/compute"
	record "neargate/resource/image"
	"neargate/wire/shape"
)

// puller opens this installation's registries to the pulls of tasks: with their
// execution roles, which need the permissions that they need on AWS.
type puller struct {
	asTask
	ecr *containers
}

// authError is why a task got no authorization token, in the words of ECS.
type authError struct{ error }

// ECSName is the name ECS gives to such an error.
func (authError) ECSName() string { return "ResourceInitializationError" }

// Error implements error.
func (e authError) Error() string {
	return "unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: " +
		"service call has been retried 1 time(s): " + e.error.Error()
}

// Unwrap returns what ECR answered.
func (e authError) Unwrap() error { return e.error }

// access makes a request for an image one that reaches this installation's
// registries, if that is where the image is.
func (p puller) access(ctx context.Context, t *compute.Task, r *image.Request) error {
	host, _, _ := strings.Cut(r.Ref, "/")
	account, region, ok := record.ParseHost(host)
	if !ok {
		return nil
	}
	token, err := p.token(ctx, t, account, region)
	if err != nil {
		return authError{err}
	}
	user, password, _ := strings.Cut(token, ":")
	own := direct.Transport{Handler: p.ecr.protocol}
	r.Own = func(name string) http.RoundTripper {
		if name != host {
			return nil
		}
		return own
	}
	r.Credentials = func(name string) (string, string, error) {
		if name != host {
			return "", "", nil
		}
		return user, password, nil
	}
	return nil
}

// token is an authorization token that a task's execution role gets, decoded.
func (p puller) token(ctx context.Context, t *compute.Task, account, region string) (string, error) {
	in := &awsecr.GetAuthorizationTokenInput{RegistryIds: []string{account}}
	ctx, id, err := p.admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "ecr", "GetAuthorizationToken", in)
	if err == nil {
		var out *awsecr.GetAuthorizationTokenOutput
		if out, err = p.ecr.api.GetAuthorizationToken(ctx, in); err == nil {
			b, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
			return string(b), err
		}
	}
	if errors.Is(err, auth.ErrCannotAssume) {
		return "", errors.New("AccessDenied: Not authorized to perform sts:AssumeRole")
	}
	if e, ok := errors.AsType[*shape.Error](err); ok {
		return "", fmt.Errorf("%s: %s status code: %d, request id: %s", e.Code, e.Message, e.Status, id)
	}
	return "", err
}

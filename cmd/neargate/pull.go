package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/distribution/reference"

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
	if err := p.mayDownload(ctx, t, account, region, r.Ref); err != nil {
		return err
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

// layerError is why a task may not have the layers of an image, in the words of ECS.
type layerError struct {
	url string
	why error
}

// ECSName is the name ECS gives to such an error.
func (layerError) ECSName() string { return "CannotPullContainerError" }

// Error implements error.
func (e layerError) Error() string {
	text := "ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code " + e.url + ": 403 Forbidden"
	if s, ok := errors.AsType[*shape.Error](e.why); ok {
		text += " - Server message: denied: " + s.Message
	}
	return text
}

// Unwrap returns what ECR answered.
func (e layerError) Unwrap() error { return e.why }

// mayDownload refuses a task whose execution role may have an image's manifest but
// not its layers: they may be on this host already, which permits nothing. What the
// role may not do before that, the pull finds out.
func (p puller) mayDownload(ctx context.Context, t *compute.Task, account, region, ref string) error {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return nil // the pull says what is wrong with it
	}
	id, name := awsecr.ImageIdentifier{}, reference.Path(named)
	if d, ok := named.(reference.Digested); ok {
		id.ImageDigest = new(d.Digest().String())
	} else if tag, ok := named.(reference.Tagged); ok {
		id.ImageTag = new(tag.Tag())
	}
	digest, err := p.ecr.api.Images().Layer(ctx, account, region, name, id)
	if err != nil || digest == "" {
		return err
	}
	in := &awsecr.GetDownloadUrlForLayerInput{RegistryId: &account, RepositoryName: &name, LayerDigest: &digest}
	_, _, denied := p.admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "ecr", "GetDownloadUrlForLayer", in)
	get := &awsecr.BatchGetImageInput{RegistryId: &account, RepositoryName: &name, ImageIds: []awsecr.ImageIdentifier{id}}
	if _, _, err := p.admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "ecr", "BatchGetImage", get); err != nil || denied == nil {
		return nil
	}
	return layerError{"https://" + reference.Domain(named) + "/v2/" + name + "/blobs/" + digest, denied}
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

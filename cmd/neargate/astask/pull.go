package astask

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"neargate/auth"
	awsecr "neargate/aws/ecr"
	"neargate/internal/direct"
	"neargate/node/image"
	"neargate/node/outlet"
	"neargate/resource/compute"
	record "neargate/resource/image"
	"neargate/wire/client"
)

// authError is why a task got no authorization token, in the words of ECS.
type authError struct {
	tries int
	error
}

// ECSName is the name ECS gives to such an error.
func (authError) ECSName() string { return "ResourceInitializationError" }

// Error implements error.
func (e authError) Error() string {
	hint := ""
	if _, silent := errors.AsType[*client.Unreachable](e.error); silent {
		hint = ". Please check your task network configuration."
	}
	return fmt.Sprintf("unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: "+
		"service call has been retried %d time(s): %v%s", e.tries, e.error, hint)
}

// Unwrap returns what ECR answered.
func (e authError) Unwrap() error { return e.error }

// ofHost reports whether a registry is this machine's own, as 127.0.0.1:5000 or
// localhost:5000 in an image's name can only mean here.
func ofHost(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// dialMirror connects a task to a mirror of the node's: at the address that stands for
// it in the network of tasks.
func (a Calls) dialMirror(ctx context.Context, way *outlet.Outlet, mirror *url.URL) (net.Conn, error) {
	at, ok := a.Mirror(mirror)
	if !ok {
		return nil, fmt.Errorf("dial tcp: mirror %s has no address in the network of tasks", mirror.Redacted())
	}
	return way.DialContext(ctx, "tcp", at.String())
}

// tokenTries is how often ECR is asked for a token while nothing answers.
const tokenTries = 3

// Access makes a request for an image one that goes through the task's interface,
// and that this installation's registries let in, if that is where the image is: with
// the execution role, which needs the permissions that it needs on AWS.
func (a Calls) Access(ctx context.Context, t *compute.Task, r *image.Request) error {
	way := outlet.From(ctx)
	if way != nil {
		r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if ofHost(address) {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			return way.DialContext(ctx, network, address)
		}
		r.DialMirror = func(ctx context.Context, mirror *url.URL) (net.Conn, error) { return a.dialMirror(ctx, way, mirror) }
	}
	host, _, _ := strings.Cut(r.Ref, "/")
	account, region, ok := record.ParseHost(host)
	if !ok {
		return nil
	}
	token, err := a.token(ctx, t, account, region)
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(token, ":")
	r.Prove = true
	r.Own = func(name string) http.RoundTripper {
		switch {
		case name != host:
			return nil
		case way != nil:
			return way.Transport()
		}
		return direct.Transport{Handler: a.Door()}
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
func (a Calls) token(ctx context.Context, t *compute.Task, account, region string) (string, error) {
	in := &awsecr.GetAuthorizationTokenInput{RegistryIds: []string{account}}
	var out awsecr.GetAuthorizationTokenOutput
	err := a.call(ctx, executor(t), apiECR(), region, "GetAuthorizationToken", tokenTries, in, &out)
	if errors.Is(err, auth.ErrCannotAssume) {
		return "", authError{1, errors.New("AccessDenied: Not authorized to perform sts:AssumeRole")}
	}
	if r, ok := errors.AsType[*client.Refusal](err); ok {
		return "", authError{1, fmt.Errorf("%s: %s status code: %d, request id: %s", r.Code, r.Message, r.Status, r.RequestID)}
	}
	if u, ok := errors.AsType[*client.Unreachable](err); ok && ctx.Err() == nil {
		return "", authError{tokenTries, fmt.Errorf("RequestError: send request failed caused by: %w", u)}
	}
	if err != nil {
		return "", err
	}
	if len(out.AuthorizationData) == 0 || out.AuthorizationData[0].AuthorizationToken == nil {
		return "", errors.New("ecr answered no token")
	}
	b, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	return string(b), err
}

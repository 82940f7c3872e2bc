// Package secret fetches what a task's containers get from Parameter Store and
// Secrets Manager, in the name of the task's execution role. What it fetches is
// handed on and kept nowhere.
package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// Source reads secrets as the execution role of a task. What it is refused is a
// *Refusal.
type Source interface {
	// Parameters reads at most ten parameters of a region, decrypted, and names
	// those there are not.
	Parameters(ctx context.Context, t *compute.Task, region string, names []string) (values map[string]string, missing []string, err error)
	// Secret reads a version of a secret; empty: the current one.
	Secret(ctx context.Context, t *compute.Task, region, id, version, stage string) (string, error)
}

// Refusal is an answer of AWS that refuses.
type Refusal struct {
	Code, Message, RequestID string
	Status                   int
}

// Error implements error.
func (e *Refusal) Error() string {
	return fmt.Sprintf("%s: %s status code: %d, request id: %s", e.Code, e.Message, e.Status, e.RequestID)
}

// Unreachable says that a task's network leads to nobody who answers.
type Unreachable struct{ Err error }

// Error implements error, in the words of AWS's SDK.
func (e *Unreachable) Error() string {
	return "RequestCanceled: request context canceled caused by: context deadline exceeded"
}

// Unwrap returns why.
func (e *Unreachable) Unwrap() error { return e.Err }

// Error is why a task cannot get its secrets, in ECS's words.
type Error struct {
	what string // that could not be fetched
	err  error
}

// Error is the text after the error's name.
func (e *Error) Error() string {
	tries, hint := 1, ""
	if _, silent := errors.AsType[*Unreachable](e.err); silent {
		tries, hint = 5, ". Please check your task network configuration."
	}
	return fmt.Sprintf("unable to pull secrets or registry auth: execution resource retrieval failed: %s: service call has been retried %d time(s): %v%s",
		e.what, tries, e.err, hint)
}

// ECSName is the error's name.
func (e *Error) ECSName() string { return "ResourceInitializationError" }

// Unwrap returns what Secrets Manager or Parameter Store said.
func (e *Error) Unwrap() error { return e.err }

// batch is how many parameters are read at once.
const batch = 10

// Values are the variables, NAME=value, for a container's secrets, in their order.
// An error is an *Error, or why ctx ended.
func Values(ctx context.Context, src Source, t *compute.Task, list []taskdef.Secret) ([]string, error) {
	params, err := parameters(ctx, src, t, list)
	if err != nil {
		return nil, failed(ctx, "unable to retrieve secrets from ssm", err)
	}
	var out []string
	for _, s := range list {
		p := parse(s.ValueFrom, t.Region)
		value, ok := params[p.parameter()]
		if !ok {
			if value, err = fetch(ctx, src, t, p); err != nil {
				return nil, failed(ctx, "unable to retrieve secret from asm", err)
			}
		}
		out = append(out, s.Name+"="+value)
	}
	return out, nil
}

// failed is a failure to fetch something; a task that ends meanwhile does not fail.
func failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &Error{what, err}
}

// parameters reads the parameters that secrets come from, by region and name.
func parameters(ctx context.Context, src Source, t *compute.Task, list []taskdef.Secret) (map[[2]string]string, error) {
	byRegion := map[string][]string{}
	var regions []string
	for _, s := range list {
		p := parse(s.ValueFrom, t.Region)
		if p.manager {
			continue
		}
		if byRegion[p.region] == nil {
			regions = append(regions, p.region)
		}
		if !slices.Contains(byRegion[p.region], p.id) {
			byRegion[p.region] = append(byRegion[p.region], p.id)
		}
	}
	out := map[[2]string]string{}
	for _, region := range regions {
		var missing []string
		for names := range slices.Chunk(byRegion[region], batch) {
			values, none, err := src.Parameters(ctx, t, region, names)
			if err != nil {
				return nil, err
			}
			missing = append(missing, none...)
			for name, v := range values {
				out[[2]string{region, name}] = v
			}
		}
		if len(missing) > 0 {
			return nil, errors.New("invalid ssm parameters: " + strings.Join(missing, ","))
		}
	}
	return out, nil
}

// place is where a secret comes from: a parameter, or a part of a secret of Secrets
// Manager.
type place struct {
	manager             bool
	region              string
	id                  string // name of the parameter, ARN of the secret
	key, stage, version string
}

// parameter is the key of the place among parameters; none has it for a secret.
func (p place) parameter() [2]string {
	if p.manager {
		return [2]string{}
	}
	return [2]string{p.region, p.id}
}

// parse reads a valueFrom: the ARN of a secret, with a key in its JSON, a staging
// label and a version after it, or the name or the ARN of a parameter.
func parse(from, region string) place {
	a, err := arn.Parse(from)
	if err != nil {
		return place{region: region, id: from}
	}
	if a.Service != "secretsmanager" {
		return place{region: a.Region, id: strings.TrimPrefix(a.Resource, "parameter")}
	}
	// secret:NAME[:key[:stage[:version]]]
	parts := append(strings.Split(a.Resource, ":"), "", "", "", "")
	a.Resource = parts[0] + ":" + parts[1]
	return place{manager: true, region: a.Region, id: a.String(), key: parts[2], stage: parts[3], version: parts[4]}
}

// fetch reads a secret, or a key of its JSON.
func fetch(ctx context.Context, src Source, t *compute.Task, p place) (string, error) {
	text, err := src.Secret(ctx, t, p.region, p.id, p.version, p.stage)
	if err != nil {
		return "", fmt.Errorf("failed to fetch secret %s from secrets manager: %w", p.id, err)
	}
	if p.key == "" {
		return text, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return "", plain(err)
	}
	raw, ok := object[p.key]
	if !ok {
		return "", errors.New("retrieved secret from Secrets Manager did not contain json key " + p.key)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	return string(raw), nil
}

// plain is an error about JSON that tells no more than a character of it.
func plain(err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return err
	}
	return errors.New("json: cannot unmarshal the secret's value into an object")
}

// Login is the user and the password for a private registry, out of a secret's JSON.
// An error is an *Error, or why ctx ended.
func Login(ctx context.Context, src Source, t *compute.Task, secret string) (user, password string, err error) {
	p := parse(secret, t.Region)
	if !p.manager {
		p = place{manager: true, region: t.Region, id: secret} // by its name
	}
	const what = "unable to get registry auth from asm"
	text, err := src.Secret(ctx, t, p.region, p.id, "", "")
	if err != nil {
		return "", "", failed(ctx, what, fmt.Errorf("asm fetching secret from the service for %s: %w", p.id, err))
	}
	var auth struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := json.Unmarshal([]byte(text), &auth); err != nil {
		return "", "", failed(ctx, what, errors.New("asm fetching authorization data: unable to unmarshal secret value"))
	}
	switch {
	case auth.Username == "":
		return "", "", failed(ctx, what, errors.New("asm fetching username: AuthorizationData is malformed, empty field"))
	case auth.Password == "":
		return "", "", failed(ctx, what, errors.New("asm fetching password: AuthorizationData is malformed, empty field"))
	}
	return auth.Username, auth.Password, nil
}

package node

import (
	"context"

	"github.com/distribution/reference"

	"neargate/node/secret"
)

// secrets are the variables of a container that come from secrets. They are fetched
// once, before its image, and again by a daemon that was started meanwhile; memory is
// the only place they are kept in.
func (h *Host) secrets(ctx context.Context, l *lane, j *Job, name string) ([]string, error) {
	d := j.Definition.Container(name)
	if h.Secrets == nil || d == nil || len(d.Secrets) == 0 {
		return nil, nil
	}
	l.mu.Lock()
	values, ok := l.secrets[name]
	l.mu.Unlock()
	if ok {
		return values, nil
	}
	values, err := secret.Values(ctx, h.Secrets, &j.Task, d.Secrets)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.secrets[name] = values
	l.mu.Unlock()
	return values, nil
}

// login is how the registry of a container's image is asked for it, where the
// definition names a secret for that; nil where it names none.
func (h *Host) login(ctx context.Context, j *Job, name string) (func(host string) (user, password string, err error), error) {
	d := j.Definition.Container(name)
	if h.Secrets == nil || d == nil || d.RepositoryCredentials == nil {
		return nil, nil
	}
	user, password, err := secret.Login(ctx, h.Secrets, &j.Task, d.RepositoryCredentials.CredentialsParameter)
	if err != nil {
		return nil, err
	}
	registry := registryOf(imageOf(&j.Task, name))
	return func(host string) (string, string, error) {
		if host != registry { // a mirror of the node's
			return "", "", nil
		}
		return user, password, nil
	}, nil
}

// registryOf is the host that an image is asked for at.
func registryOf(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	if host := reference.Domain(named); host != "docker.io" {
		return host
	}
	return "registry-1.docker.io"
}

package node

import (
	"context"

	"github.com/distribution/reference"

	"neargate/node/container"
	"neargate/node/envfile"
	"neargate/node/secret"
)

// fetch gets the variables of a container that come from its environment files and
// its secrets. They are fetched once, before its image, and again by a daemon that was
// started meanwhile; memory is the only place they are kept in.
func (h *Host) fetch(ctx context.Context, l *lane, j *Job, name string) (v container.Variables, err error) {
	d := j.Definition.Container(name)
	if d == nil {
		return v, nil
	}
	l.mu.Lock()
	v, ok := l.fetched[name]
	l.mu.Unlock()
	if ok {
		return v, nil
	}
	if h.Secrets != nil && len(d.Secrets) > 0 {
		if v.Secrets, err = secret.Values(ctx, h.Secrets, &j.Task, d.Secrets); err != nil {
			return v, err
		}
	}
	if files := container.EnvironmentFiles(&j.Task, d); h.Files != nil && len(files) > 0 {
		if v.Files, err = envfile.Variables(ctx, h.Files, &j.Task, files); err != nil {
			return v, err
		}
	}
	l.mu.Lock()
	l.fetched[name] = v
	l.mu.Unlock()
	return v, nil
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

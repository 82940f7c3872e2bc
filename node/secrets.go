package node

import (
	"context"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"neargate/node/container"
	"neargate/node/envfile"
	"neargate/node/secret"
)

// fetched is what a container gets from its environment files and from secrets.
type fetched struct {
	container.Variables
	logOptions map[string]string // of its log driver, that are secrets
}

// fetch gets what a container's environment files and secrets hold. They are fetched
// once, before its image, and again by a daemon that was started meanwhile; memory is
// the only place they are kept in.
func (h *Host) fetch(ctx context.Context, l *lane, j *Job, name string) (v fetched, err error) {
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
	list := d.Secrets
	if d.LogConfiguration != nil {
		list = slices.Concat(list, d.LogConfiguration.SecretOptions)
	}
	if h.Secrets != nil && len(list) > 0 {
		values, err := secret.Values(ctx, h.Secrets, &j.Task, list)
		if err != nil {
			return v, err
		}
		v.Secrets, v.logOptions = values[:len(d.Secrets):len(d.Secrets)], map[string]string{}
		for i, s := range list[len(d.Secrets):] {
			v.logOptions[s.Name] = strings.TrimPrefix(values[len(d.Secrets)+i], s.Name+"=")
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

// Package given is what a task's containers are given: values of Parameter Store and
// Secrets Manager, and environment files, read with the task's execution role.
package given

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"neargate/arn"
	"neargate/auth"
	awssecrets "neargate/aws/secretsmanager"
	awsssm "neargate/aws/ssm"
	"neargate/dataplane/objects"
	"neargate/node/envfile"
	"neargate/node/secret"
	"neargate/resource/compute"
	record "neargate/resource/objects"
	"neargate/service"
	"neargate/service/kms"
	"neargate/service/secretsmanager"
	"neargate/service/ssm"
	"neargate/store"
	"neargate/store/tables/buckets"
	"neargate/wire/shape"
)

// Source reads with the execution roles of tasks.
type Source struct {
	// Admit is a context for a call with a role of a task, and the call's request id,
	// when the gate lets the call pass.
	Admit   func(ctx context.Context, account, region, role, task, service, operation string, in any) (context.Context, string, error)
	Deps    service.Deps
	Params  awsssm.API
	Secrets awssecrets.API
	Objects *objects.Store
}

var (
	_ secret.Source  = (*Source)(nil)
	_ envfile.Source = (*Source)(nil)
)

// New is a source with the services that answer it.
func New(d service.Deps, master [32]byte, o *objects.Store) *Source {
	keys := kms.New(d, master)
	return &Source{Deps: d, Params: ssm.New(d, keys), Secrets: secretsmanager.New(d, keys), Objects: o}
}

// Parameters implements secret.Source.
func (v *Source) Parameters(ctx context.Context, t *compute.Task, region string, names []string) (map[string]string, []string, error) {
	in := &awsssm.GetParametersInput{Names: names, WithDecryption: new(true)}
	ctx, id, err := v.Admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "ssm", "GetParameters", in)
	if err != nil {
		return nil, nil, refused(id, err)
	}
	out, err := v.Params.GetParameters(ctx, in)
	if err != nil {
		return nil, nil, refused(id, err)
	}
	values := map[string]string{}
	for i := range out.Parameters {
		p := &out.Parameters[i]
		values[*p.Name+value(p.Selector)] = *p.Value
	}
	return values, out.InvalidParameters, nil
}

// Secret implements secret.Source.
func (v *Source) Secret(ctx context.Context, t *compute.Task, region, secretID, version, stage string) (string, error) {
	in := &awssecrets.GetSecretValueInput{SecretId: &secretID}
	if version != "" {
		in.VersionId = &version
	}
	if stage != "" {
		in.VersionStage = &stage
	}
	ctx, id, err := v.Admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "secretsmanager", "GetSecretValue", in)
	if err != nil {
		return "", refused(id, err)
	}
	out, err := v.Secrets.GetSecretValue(ctx, in)
	if err != nil {
		return "", refused(id, err)
	}
	return value(out.SecretString), nil
}

// maxFile bounds an environment file, in bytes.
const maxFile = 1 << 20

// Object implements envfile.Source. It asks for the permissions Amazon ECS says that
// the role needs.
func (v *Source) Object(ctx context.Context, t *compute.Task, objectARN string) ([]byte, error) {
	id := v.Deps.IDs.UUID()
	refuse := func(code, message string, status int) error {
		return &secret.Refusal{Code: code, Message: message, Status: status, RequestID: id}
	}
	a, err := arn.Parse(objectARN)
	name, key, ok := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "s3" || !ok {
		return nil, refuse("InvalidARN", "The ARN is not one of an object.", http.StatusBadRequest)
	}
	var b record.Bucket
	err = v.Deps.Store.View(ctx, func(tx store.Tx) error {
		c, err := auth.ForTask(tx, t.Account, t.Region, t.Spec.ExecutionRole, t.ID, v.Deps.Now())
		if err != nil {
			return err
		}
		if b, ok, err = buckets.Buckets.Find(tx, name); err != nil || !ok {
			return err
		}
		bucket := record.BucketARN(b.Region, b.Name)
		for action, resource := range map[string]string{"s3:GetBucketLocation": bucket, "s3:GetObject": bucket + "/" + key} {
			on := auth.Resource{Account: b.Account, Policy: b.Policy}
			if err := auth.Allow(tx, c, v.Deps.Now(), auth.Use{Action: action, Resource: resource, On: on}); err != nil {
				return err
			}
		}
		return nil
	})
	_, denied := errors.AsType[*auth.Denied](err)
	switch {
	case denied || errors.Is(err, auth.ErrCannotAssume):
		return nil, refuse("AccessDenied", "Access Denied", http.StatusForbidden)
	case err != nil:
		return nil, err
	case !ok:
		return nil, refuse("NoSuchBucket", "The specified bucket does not exist", http.StatusNotFound)
	}
	content, err := v.Objects.Open(b.ID, key, "")
	if errors.Is(err, record.ErrNoKey) || err == nil && content.Version().Marker {
		return nil, errors.Join(refuse("NoSuchKey", "The specified key does not exist.", http.StatusNotFound), closed(content))
	}
	if err != nil {
		return nil, err
	}
	if content.Version().Size > maxFile {
		return nil, errors.Join(refuse("EntityTooLarge", "The environment file is too large.", http.StatusBadRequest), content.Close())
	}
	text, err := io.ReadAll(content.Range(0, content.Version().Size))
	return text, errors.Join(err, content.Close())
}

// closed closes what was opened, if it was.
func closed(c io.Closer) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// refused is what AWS refused, as ECS shows it.
func refused(id string, err error) error {
	if errors.Is(err, auth.ErrCannotAssume) {
		return &secret.Refusal{Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRole", Status: http.StatusForbidden, RequestID: id}
	}
	if e, ok := errors.AsType[*shape.Error](err); ok {
		return &secret.Refusal{Code: e.Code, Message: e.Message, Status: e.Status, RequestID: id}
	}
	return err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

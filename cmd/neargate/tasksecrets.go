package main

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
	"neargate/service/kms"
	"neargate/service/secretsmanager"
	"neargate/service/ssm"
	"neargate/store"
	"neargate/store/tables/buckets"
	"neargate/wire/shape"
)

// secretSource reads secrets and environment files with the execution roles of tasks.
type secretSource struct {
	asTask
	objects *objects.Store
	ssm     awsssm.API
	secrets awssecrets.API
}

var (
	_ secret.Source  = secretSource{}
	_ envfile.Source = secretSource{}
)

// secrets is where this installation's tasks get their secrets from.
func (d *daemon) secrets() secretSource {
	deps := d.deps()
	keys := kms.New(deps, d.master)
	return secretSource{d.asTask(), d.objects, ssm.New(deps, keys), secretsmanager.New(deps, keys)}
}

// Parameters implements secret.Source.
func (v secretSource) Parameters(ctx context.Context, t *compute.Task, region string, names []string) (map[string]string, []string, error) {
	in := &awsssm.GetParametersInput{Names: names, WithDecryption: new(true)}
	ctx, id, err := v.admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "ssm", "GetParameters", in)
	if err != nil {
		return nil, nil, refusedSecret(id, err)
	}
	out, err := v.ssm.GetParameters(ctx, in)
	if err != nil {
		return nil, nil, refusedSecret(id, err)
	}
	values := map[string]string{}
	for i := range out.Parameters {
		p := &out.Parameters[i]
		values[*p.Name+text(p.Selector)] = *p.Value
	}
	return values, out.InvalidParameters, nil
}

// Secret implements secret.Source.
func (v secretSource) Secret(ctx context.Context, t *compute.Task, region, secretID, version, stage string) (string, error) {
	in := &awssecrets.GetSecretValueInput{SecretId: &secretID}
	if version != "" {
		in.VersionId = &version
	}
	if stage != "" {
		in.VersionStage = &stage
	}
	ctx, id, err := v.admit(ctx, t.Account, region, t.Spec.ExecutionRole, t.ID, "secretsmanager", "GetSecretValue", in)
	if err != nil {
		return "", refusedSecret(id, err)
	}
	out, err := v.secrets.GetSecretValue(ctx, in)
	if err != nil {
		return "", refusedSecret(id, err)
	}
	return text(out.SecretString), nil
}

// maxFile bounds an environment file, in bytes.
const maxFile = 1 << 20

// Object implements envfile.Source. It asks for the permissions Amazon ECS says that
// the role needs.
func (v secretSource) Object(ctx context.Context, t *compute.Task, objectARN string) ([]byte, error) {
	id := v.ids.UUID()
	refuse := func(code, message string, status int) error {
		return &secret.Refusal{Code: code, Message: message, Status: status, RequestID: id}
	}
	a, err := arn.Parse(objectARN)
	name, key, ok := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "s3" || !ok {
		return nil, refuse("InvalidARN", "The ARN is not one of an object.", http.StatusBadRequest)
	}
	var b record.Bucket
	err = v.store.View(ctx, func(tx store.Tx) error {
		c, err := auth.ForTask(tx, t.Account, t.Region, t.Spec.ExecutionRole, t.ID, v.now())
		if err != nil {
			return err
		}
		if b, ok, err = buckets.Buckets.Find(tx, name); err != nil || !ok {
			return err
		}
		bucket := record.BucketARN(b.Region, b.Name)
		for action, resource := range map[string]string{"s3:GetBucketLocation": bucket, "s3:GetObject": bucket + "/" + key} {
			on := auth.Resource{Account: b.Account, Policy: b.Policy}
			if err := auth.Allow(tx, c, v.now(), auth.Use{Action: action, Resource: resource, On: on}); err != nil {
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
	content, err := v.objects.Open(b.ID, key, "")
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

// refusedSecret is what AWS refused, as ECS shows it.
func refusedSecret(id string, err error) error {
	if errors.Is(err, auth.ErrCannotAssume) {
		return &secret.Refusal{Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRole", Status: http.StatusForbidden, RequestID: id}
	}
	if e, ok := errors.AsType[*shape.Error](err); ok {
		return &secret.Refusal{Code: e.Code, Message: e.Message, Status: e.Status, RequestID: id}
	}
	return err
}

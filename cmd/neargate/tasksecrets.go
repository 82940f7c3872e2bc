package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"neargate/auth"
	awssecrets "neargate/aws/secretsmanager"
	awsssm "neargate/aws/ssm"
	"neargate/node/secret"
	"neargate/resource/compute"
	"neargate/service"
	"neargate/service/kms"
	"neargate/service/secretsmanager"
	"neargate/service/ssm"
	"neargate/wire/shape"
)

// secretSource reads secrets with the execution roles of tasks.
type secretSource struct {
	asTask
	ssm     awsssm.API
	secrets awssecrets.API
}

var _ secret.Source = secretSource{}

// secrets is where this installation's tasks get their secrets from.
func (d *daemon) secrets() secretSource {
	deps := service.Deps{Store: d.store, Now: time.Now, IDs: d.ids, TokenKey: d.key}
	keys := kms.New(deps, d.master)
	return secretSource{d.asTask(), ssm.New(deps, keys), secretsmanager.New(deps, keys)}
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

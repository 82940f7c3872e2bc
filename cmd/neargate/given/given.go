// Package given is what a task's containers are given: values of Parameter Store and
// Secrets Manager, and environment files, read over the network with the task's
// execution role.
package given

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"neargate/arn"
	"neargate/auth"
	awssecrets "neargate/aws/secretsmanager"
	awsssm "neargate/aws/ssm"
	"neargate/cmd/neargate/astask"
	"neargate/node/envfile"
	"neargate/node/secret"
	"neargate/resource/compute"
	"neargate/wire/client"
)

// Source reads with the execution roles of tasks.
type Source struct{ astask.Calls }

var (
	_ secret.Source  = Source{}
	_ envfile.Source = Source{}
)

// Parameters implements secret.Source.
func (v Source) Parameters(ctx context.Context, t *compute.Task, region string, names []string) (map[string]string, []string, error) {
	in := &awsssm.GetParametersInput{Names: names, WithDecryption: new(true)}
	var out awsssm.GetParametersOutput
	if err := v.Ask(ctx, t, astask.SSM(), region, "GetParameters", in, &out); err != nil {
		return nil, nil, v.refused(err)
	}
	values := map[string]string{}
	for i := range out.Parameters {
		p := &out.Parameters[i]
		values[value(p.Name)+value(p.Selector)] = value(p.Value)
	}
	return values, out.InvalidParameters, nil
}

// Secret implements secret.Source.
func (v Source) Secret(ctx context.Context, t *compute.Task, region, secretID, version, stage string) (string, error) {
	in := &awssecrets.GetSecretValueInput{SecretId: &secretID}
	if version != "" {
		in.VersionId = &version
	}
	if stage != "" {
		in.VersionStage = &stage
	}
	var out awssecrets.GetSecretValueOutput
	if err := v.Ask(ctx, t, astask.Secrets(), region, "GetSecretValue", in, &out); err != nil {
		return "", v.refused(err)
	}
	return value(out.SecretString), nil
}

// maxFile bounds an environment file, in bytes.
const maxFile = 1 << 20

// Object implements envfile.Source: it asks where the bucket is, and there for the
// object.
func (v Source) Object(ctx context.Context, t *compute.Task, objectARN string) ([]byte, error) {
	a, err := arn.Parse(objectARN)
	name, key, ok := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "s3" || !ok {
		return nil, &secret.Refusal{Code: "InvalidARN", Message: "The ARN is not one of an object.", Status: http.StatusBadRequest, RequestID: v.IDs.UUID()}
	}
	located, err := v.get(ctx, t, t.Region, "https://s3."+t.Region+".amazonaws.com/"+name+"?location")
	if err != nil {
		return nil, err
	}
	var place struct {
		Region string `xml:",chardata"`
	}
	if err := xml.Unmarshal(located, &place); err != nil {
		return nil, err
	}
	region := strings.TrimSpace(place.Region)
	if region == "" {
		region = arn.DefaultRegion // as Amazon S3 names us-east-1
	}
	where := url.URL{Scheme: "https", Host: name + ".s3." + region + ".amazonaws.com", Path: "/" + key}
	return v.get(ctx, t, region, where.String())
}

// get reads what is at a URL of Amazon S3.
func (v Source) get(ctx context.Context, t *compute.Task, region, where string) ([]byte, error) {
	resp, err := v.Get(ctx, t, region, where)
	if err != nil {
		return nil, v.refused(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFile+1))
	switch {
	case err != nil:
		return nil, &secret.Unreachable{Err: err}
	case resp.StatusCode == http.StatusOK && len(body) > maxFile:
		return nil, &secret.Refusal{Code: "EntityTooLarge", Message: "The environment file is too large.", Status: http.StatusBadRequest, RequestID: v.IDs.UUID()}
	case resp.StatusCode == http.StatusOK:
		return body, nil
	}
	var e struct{ Code, Message, RequestId string }
	if xml.Unmarshal(body, &e) != nil || e.Code == "" {
		e.Code, e.Message = http.StatusText(resp.StatusCode), ""
	}
	return nil, &secret.Refusal{Code: e.Code, Message: e.Message, Status: resp.StatusCode, RequestID: e.RequestId}
}

// refused is what AWS refused, as ECS shows it.
func (v Source) refused(err error) error {
	if errors.Is(err, auth.ErrCannotAssume) {
		return &secret.Refusal{Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRole", Status: http.StatusForbidden, RequestID: v.IDs.UUID()}
	}
	if r, ok := errors.AsType[*client.Refusal](err); ok {
		return &secret.Refusal{Code: r.Code, Message: r.Message, Status: r.Status, RequestID: r.RequestID}
	}
	if u, ok := errors.AsType[*client.Unreachable](err); ok {
		return &secret.Unreachable{Err: u}
	}
	return err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

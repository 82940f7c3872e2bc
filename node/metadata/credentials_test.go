package metadata

import (
	"context"
	"errors"
	"testing"
	"time"

	"neargate/resource/compute"
)

// lending lends to tasks with a role, by their ids.
type lending struct{ err error }

func (lending) ID(t *compute.Task) string {
	if t.Spec.TaskRole == "" {
		return ""
	}
	return "of-" + t.ID
}

func (l lending) Lend(_ context.Context, t *compute.Task) (Credentials, error) {
	return Credentials{RoleARN: t.Spec.TaskRole, AccessKeyID: "ASIA1", Secret: "s", Token: "t", Expiration: begin.Add(6 * time.Hour)}, l.err
}

// TestCredentials has tasks ask for their own credentials and for those of others.
func TestCredentials(t *testing.T) {
	a, without := sample(taskA, "10.1.16.5"), sample(taskB, "10.1.16.7")
	a.Task.Spec.TaskRole, without.Task.Spec.TaskRole = "arn:aws:iam::123456789012:role/r", ""
	b := sample(taskB, "10.1.16.6")
	b.Task.Spec.TaskRole = "arn:aws:iam::123456789012:role/r"
	all := hostTasks{"vpc-1 10.1.16.5": a, "vpc-1 10.1.16.6": b, "vpc-1 10.1.16.7": without}
	const notFound = `{"code":"InvalidIdInRequest","message":"CredentialsV2Request: Credentials not found","HTTPErrorCode":400}`
	for _, c := range []struct {
		from, path string
		err        error
		code       int
		want       string
	}{
		{"10.1.16.5", "/v2/credentials/of-" + taskA, nil, 200,
			`{"RoleArn":"arn:aws:iam::123456789012:role/r","AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"` + begin.Add(6*time.Hour).UTC().Format(time.RFC3339) + `"}`},
		{"10.1.16.6", "/v2/credentials/of-" + taskA, nil, 400, notFound},
		{"10.9.9.9", "/v2/credentials/of-" + taskA, nil, 400, notFound},
		{"10.1.16.7", "/v2/credentials/of-" + taskB, nil, 400, notFound},
		{"10.1.16.5", "/v2/credentials/x", nil, 400, notFound},
		{"10.1.16.5", "/v2/credentials/", nil, 400, `{"code":"NoIdInRequest","message":"CredentialsV2Request: No ID in the request","HTTPErrorCode":400}`},
		{"10.1.16.5", "/v2/credentials", nil, 400, `{"code":"NoIdInRequest","message":"CredentialsV2Request: No ID in the request","HTTPErrorCode":400}`},
		{"10.1.16.5", "/v2/credentials/of-" + taskA, errors.New("no"), 503,
			`{"code":"CredentialsUninitialized","message":"CredentialsV2Request: Credentials uninitialized for ID","HTTPErrorCode":503}`},
	} {
		w := call(newEndpoint("vpc-1", all, nil, lending{c.err}), c.from, "GET", c.path, "")
		if w.Code != c.code || w.Body.String() != c.want {
			t.Errorf("%s of %s: %d %s", c.path, c.from, w.Code, w.Body)
		}
	}
	if env := CredentialsEnv(""); env != nil {
		t.Errorf("without a role: %q", env)
	}
	if env := CredentialsEnv("x"); len(env) != 1 || env[0] != "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/x" {
		t.Errorf("%q", env)
	}
}

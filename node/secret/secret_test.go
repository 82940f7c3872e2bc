package secret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// store is a Source of what is in it, by region and name.
type store struct {
	values map[string]string
	calls  []string
}

func (s *store) Parameters(_ context.Context, _ *compute.Task, region string, names []string) (map[string]string, []string, error) {
	s.calls = append(s.calls, fmt.Sprintf("ssm %s %d", region, len(names)))
	out, missing := map[string]string{}, []string(nil)
	for _, n := range names {
		if n == "/denied" {
			return nil, nil, &Refusal{Code: "AccessDeniedException", Message: "User: u is not authorized", RequestID: "id-1", Status: 400}
		}
		v, ok := s.values[region+" "+n]
		if !ok {
			missing = append(missing, n)
			continue
		}
		out[n] = v
	}
	return out, missing, nil
}

func (s *store) Secret(_ context.Context, _ *compute.Task, region, id, version, stage string) (string, error) {
	key := strings.Join([]string{region, id, version, stage}, " ")
	s.calls = append(s.calls, key)
	v, ok := s.values[key]
	if id == "far" {
		return "", &Unreachable{errors.New("i/o timeout")}
	}
	if !ok {
		return "", &Refusal{Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret.", RequestID: "id-2", Status: 400}
	}
	return v, nil
}

const db = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-AbCdEf"

var task = &compute.Task{Account: "123456789012", Region: "us-east-1", ID: "t"}

func from(list ...string) (out []taskdef.Secret) {
	for i, f := range list {
		out = append(out, taskdef.Secret{Name: string(rune('A' + i)), ValueFrom: f})
	}
	return out
}

func TestValues(t *testing.T) {
	src := &store{values: map[string]string{
		"us-east-1 plain": "p", "us-east-1 /a/b": "by name", "eu-west-1 /a/b": "elsewhere",
		"us-east-1 " + db + "  ":            `{"user":"u","port":5432,"big":10000000,"on":true,"deep":{"x":[1]},"null":null}`,
		"us-east-1 " + db + "  AWSPREVIOUS": `{"user":"before"}`,
		"us-east-1 " + db + " v-1 ":         "whole",
	}}
	for i := range 25 {
		src.values[fmt.Sprintf("us-east-1 /n/%d", i)] = fmt.Sprint(i)
	}
	got, err := Values(t.Context(), src, task, from("plain", "/a/b", "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b", "arn:aws:ssm:us-east-1:123456789012:parameter/a/b",
		db+":user::", db+":port::", db+":big::", db+":on::", db+":deep::", db+":user:AWSPREVIOUS:", db+":::v-1", db))
	want := []string{"A=p", "B=by name", "C=elsewhere", "D=by name", "E=u", "F=5432", "G=10000000", "H=true", `I={"x":[1]}`, "J=before", "K=whole", "L=" + src.values["us-east-1 "+db+"  "]}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	src.calls = nil
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("/n/%d", i))
	}
	if got, err = Values(t.Context(), src, task, from(many...)); err != nil || len(got) != 25 || fmt.Sprint(src.calls) != "[ssm us-east-1 10 ssm us-east-1 10 ssm us-east-1 5]" {
		t.Errorf("%q, %v, %q", got, err, src.calls)
	}
	if got, err := Values(t.Context(), nil, task, nil); got != nil || err != nil {
		t.Errorf("without secrets %q, %v", got, err)
	}
}

func TestFailures(t *testing.T) {
	src := &store{values: map[string]string{"us-east-1 " + db + "  ": `{"user":"u"}`, "us-east-1 " + db + "  text": "hidden treasure", "us-east-1 " + db + "  list": `["hidden"]`}}
	const head = "unable to pull secrets or registry auth: execution resource retrieval failed: "
	for want, list := range map[string][]taskdef.Secret{
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /x,y":                                                                                                                                           from("/x", "y", db),
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: u is not authorized status code: 400, request id: id-1":                                                                                    from("/denied"),
		"unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key password":                                                                                                 from(db + ":password::"),
		"unable to retrieve secret from asm: service call has been retried 1 time(s): invalid character 'h' looking for beginning of value":                                                                                                                    from(db + ":user:text:"),
		"unable to retrieve secret from asm: service call has been retried 1 time(s): json: cannot unmarshal the secret's value into an object":                                                                                                                from(db + ":user:list:"),
		"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret " + db + "x from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret. status code: 400, request id: id-2": from(db + "x"),
	} {
		_, err := Values(t.Context(), src, task, list)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.ECSName() != "ResourceInitializationError" || e.Error() != head+want {
			t.Errorf("%v\nwant %s", err, head+want)
		}
	}
	_, _, err := Login(t.Context(), src, task, "far")
	const silent = "unable to get registry auth from asm: service call has been retried 5 time(s): asm fetching secret from the service for far: " +
		"RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration."
	if err == nil || err.Error() != head+silent {
		t.Errorf("nobody answers: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Values(ctx, src, task, from("/x")); !errors.Is(err, context.Canceled) {
		t.Errorf("a task that ends: %v", err)
	}
}

func TestLogin(t *testing.T) {
	src := &store{values: map[string]string{
		"us-east-1 " + db + "  ": `{"username":"u","password":"p"}`, "us-east-1 name  ": `{"username":"n","password":"q"}`,
		"us-east-1 half  ": `{"username":"n"}`, "us-east-1 text  ": "x",
	}}
	for id, want := range map[string]string{db: "u p", "name": "n q"} {
		if user, password, err := Login(t.Context(), src, task, id); err != nil || user+" "+password != want {
			t.Errorf("%s: %s %s, %v", id, user, password, err)
		}
	}
	const head = "unable to pull secrets or registry auth: execution resource retrieval failed: unable to get registry auth from asm: service call has been retried 1 time(s): "
	for id, want := range map[string]string{
		"half": "asm fetching password: AuthorizationData is malformed, empty field",
		"text": "asm fetching authorization data: unable to unmarshal secret value",
		"none": "asm fetching secret from the service for none: ResourceNotFoundException: Secrets Manager can't find the specified secret. status code: 400, request id: id-2",
	} {
		if _, _, err := Login(t.Context(), src, task, id); err == nil || err.Error() != head+want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

package logdriver

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"neargate/resource/compute/taskdef"
	"neargate/shim/api"
)

func TestOpen(t *testing.T) {
	n := newNode(t)
	task := Task{ID: "t", Account: "123456789012", ExecutionRole: "arn:aws:iam::123456789012:role/exec"}
	blocking := task
	blocking.DefaultMode = taskdef.LogBlocking
	for _, c := range []struct {
		task Task
		l    *taskdef.Logging
		want api.Log
	}{
		{task, nil, api.Log{}},
		{task, logging(), api.Log{Mode: api.NonBlocking, Buffer: 10 << 20}},
		{blocking, logging(), api.Log{Mode: api.Blocking}},
		{blocking, logging("mode", "non-blocking", "max-buffer-size", "25m"), api.Log{Mode: api.NonBlocking, Buffer: 25 << 20}},
		{task, logging("mode", "blocking", "max-buffer-size", "1k"), api.Log{Mode: api.Blocking}},
		{task, logging("max-buffer-size", "1t"), api.Log{Mode: api.NonBlocking, Buffer: maxBuffer}},
	} {
		if got, err := n.Open(t.Context(), c.task, "a", c.l); err != nil || got != c.want {
			t.Errorf("%+v: %+v, %v", c.l, got, err)
		}
	}
	n.streams.asked = nil
	if _, err := n.Open(t.Context(), task, "a", logging(taskdef.LogRegion, "eu-west-1", taskdef.LogCreateGroup, "true")); err != nil {
		t.Error(err)
	}
	if want := []string{"123456789012 eu-west-1 arn:aws:iam::123456789012:role/exec t g p/a/t true"}; !slices.Equal(n.streams.asked, want) {
		t.Errorf("asked %q", n.streams.asked)
	}
}

func TestOpenFails(t *testing.T) {
	refusal := func(op, code, message string) error {
		return fmt.Errorf("wrapped: %w", &Refusal{Operation: op, Code: code, Message: message, Status: 400, RequestID: "0b8a"})
	}
	const denied = "User: arn:aws:sts::1:assumed-role/exec/t is not authorized to perform: logs:CreateLogGroup on resource: x because no identity-based policy allows the logs:CreateLogGroup action"
	for name, c := range map[string]struct {
		l      *taskdef.Logging
		refuse error
		want   string
	}{
		"no group": {logging(), refusal("CreateLogStream", "ResourceNotFoundException", "The specified log group does not exist."),
			"failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: wrapped: operation error CloudWatch Logs: CreateLogStream, https response error StatusCode: 400, RequestID: 0b8a, ResourceNotFoundException: The specified log group does not exist. : exit status 1"},
		"denied": {logging(), refusal("CreateLogGroup", "AccessDeniedException", denied),
			"failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log group: wrapped: operation error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, RequestID: 0b8a, api error AccessDeniedException: " + denied + " : exit status 1"},
		"no answer": {logging(), errors.New("no answer"),
			"failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: no answer : exit status 1"},
		"no way": {logging(), &Unreachable{Err: errors.New("i/o timeout")},
			"failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. " +
				"There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : signal: killed"},
		"bad pattern": {logging(taskdef.LogDatetime, "[%Y-%m"), nil,
			"failed to validate logger args: awslogs could not parse multiline pattern key \"[\\\\d{4}-(?:0[1-9]|1[0-2])\": error parsing regexp: invalid character class range: `}-(` : exit status 1"},
		"bad group option": {logging(taskdef.LogCreateGroup, "maybe"), nil,
			"failed to validate logger args: must specify valid value for log opt 'awslogs-create-group': \"maybe\" : exit status 1"},
		"bad mode":   {logging(taskdef.LogMode, "x"), nil, "failed to validate logger args: logging mode not supported: x : exit status 1"},
		"bad size":   {logging(taskdef.LogBuffer, "x"), nil, "failed to validate logger args: error parsing max-buffer-size: \"x\" : exit status 1"},
		"bad driver": {&taskdef.Logging{LogDriver: "gelf"}, nil, "failed to validate logger args: no log driver gelf : exit status 1"},
	} {
		n := newNode(t)
		if c.refuse != nil {
			n.streams.refuse = []error{c.refuse, c.refuse}
		}
		_, err := n.Open(t.Context(), Task{ID: "t"}, "a", c.l)
		var named interface{ ECSName() string }
		if err == nil || err.Error() != c.want || !errors.As(err, &named) || named.ECSName() != "ResourceInitializationError" {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
		if s, err := n.store.Sources(""); err != nil || len(s) > 0 || len(n.followers) > 0 {
			t.Errorf("%s: sources %q, %v", name, s, err)
		}
	}
	n := newNode(t)
	n.streams.refuse = []error{errors.New("once")}
	if _, err := n.Open(t.Context(), Task{ID: "t"}, "a", logging()); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

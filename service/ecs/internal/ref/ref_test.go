package ref

import (
	"errors"
	"strings"
	"testing"

	"neargate/arn"
	"neargate/wire/shape"
)

var here = Tenant{"123456789012", "us-east-1"}

const id32 = "0123456789abcdef0123456789abcdef"

func message(err error) string {
	var e *shape.Error
	if errors.As(err, &e) {
		return e.Code + ": " + e.Message
	}
	return ""
}

func TestCluster(t *testing.T) {
	for _, c := range []struct {
		in   *string
		want string
		err  string
	}{
		{nil, "default", ""},
		{new("web"), "web", ""},
		{new("arn:aws:ecs:us-east-1:123456789012:cluster/web"), "web", ""},
		{new("a b"), "", `InvalidParameterException: Cluster must match ^[a-zA-Z0-9\-_]{1,255}$, but was a b`},
		{new(strings.Repeat("x", 256)), "", "InvalidParameterException: Cluster must match"},
		{new("arn:aws:ecs:us-west-2:123456789012:cluster/web"), "", "InvalidParameterException: Invalid Region in ARN"},
		{new("arn:aws:ecs:us-east-1:999999999999:cluster/web"), "", "InvalidParameterException: Invalid identifier: Identifier is for 999999999999."},
		{new("arn:aws:ecs:us-east-1:123456789012:service/web"), "", "InvalidParameterException: Invalid arn syntax."},
		{new("arn:aws:ecs:us-east-1:123456789012:cluster/a/b"), "", "InvalidParameterException: Invalid arn syntax."},
		{new("arn:aws:iam::123456789012:role/x"), "", "InvalidParameterException: Invalid arn syntax."},
	} {
		got, err := here.Cluster(c.in)
		if c.err != "" {
			if !strings.HasPrefix(message(err), c.err) {
				t.Errorf("Cluster(%q): %v, want %s", deref(c.in), err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("Cluster(%q) = %q, %v; want %q", deref(c.in), got, err, c.want)
		}
	}
}

func TestMembers(t *testing.T) {
	if got, err := here.Service("web", "arn:aws:ecs:us-east-1:123456789012:service/web/api"); err != nil || got != "api" {
		t.Errorf("long service ARN: %q, %v", got, err)
	}
	if got, err := here.Service("web", "arn:aws:ecs:us-east-1:123456789012:service/api"); err != nil || got != "api" {
		t.Errorf("short service ARN: %q, %v", got, err)
	}
	if got, err := here.Task("web", "arn:aws:ecs:us-east-1:123456789012:task/web/"+id32); err != nil || got != id32 {
		t.Errorf("task ARN: %q, %v", got, err)
	}
	_, err := here.Task("default", "arn:aws:ecs:us-east-1:123456789012:task/web/"+id32)
	if message(err) != "InvalidParameterException: Invalid identifier: Identifier is for cluster web. Your cluster is default" {
		t.Errorf("task of another cluster: %v", err)
	}
	_, err = here.Task("default", "short")
	if message(err) != "InvalidParameterException: taskId length should be one of [32,36]" {
		t.Errorf("short id: %v", err)
	}
	if _, err := here.Instance("default", strings.Repeat("\x00", 32)); err == nil {
		t.Error("an id of zero bytes was accepted")
	}
}

func TestDefinition(t *testing.T) {
	for in, want := range map[string]Definition{
		"web":    {"web", 0},
		"web:12": {"web", 12},
		"arn:aws:ecs:us-east-1:123456789012:task-definition/web:3": {"web", 3},
		"arn:aws:ecs:us-east-1:123456789012:task-definition/web":   {"web", 0},
	} {
		if got, err := here.Definition(in); err != nil || got != want {
			t.Errorf("Definition(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"web:bad":         "InvalidParameterException: Invalid task definition: Invalid revision number.",
		"web:0":           "InvalidParameterException: Invalid task definition: Invalid revision number.",
		"web:+1":          "InvalidParameterException: Invalid task definition: Invalid revision number.",
		"web:":            "InvalidParameterException: Invalid task definition: Invalid revision number.",
		"web:99999999999": "InvalidParameterException: Invalid task definition: Invalid revision number.",
		"":                "ClientException: Family contains invalid characters.",
		"a b:1":           "ClientException: Family contains invalid characters.",
	} {
		if _, err := here.Definition(in); message(err) != want {
			t.Errorf("Definition(%q): %v, want %s", in, err, want)
		}
	}
}

// FuzzReferences checks that whatever is read can be a key segment, and that
// printing what was read and reading it again gives the same.
func FuzzReferences(f *testing.F) {
	f.Add("web")
	f.Add("web:1")
	f.Add("arn:aws:ecs:us-east-1:123456789012:cluster/web")
	f.Add("arn:aws:ecs:us-east-1:123456789012:task/web/" + id32)
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := here.Cluster(&s); err == nil {
			again, err := here.Cluster(new(arn.New("ecs", here.Region, here.Account, "cluster/"+name)))
			if err != nil || again != name || !ValidName(name) {
				t.Fatalf("Cluster(%q) = %q, then %q, %v", s, name, again, err)
			}
		}
		if id, err := here.Task("web", s); err == nil && strings.ContainsAny(id, "\x00/:") {
			t.Fatalf("Task(%q) = %q", s, id)
		}
		if d, err := here.Definition(s); err == nil && (!ValidName(d.Family) || d.Revision < 0) {
			t.Fatalf("Definition(%q) = %v", s, d)
		}
	})
}

func deref(s *string) string {
	if s == nil {
		return "<nil>"
	}
	return *s
}

// Package envfile reads a container's environment files, in the name of the task's
// execution role.
package envfile

import (
	"context"
	"strings"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// Source reads objects of Amazon S3 as the execution role of a task.
type Source interface {
	// Object is the content of an object given by its ARN.
	Object(ctx context.Context, t *compute.Task, objectARN string) ([]byte, error)
}

// Error is why a task cannot get its environment files, in ECS's words.
type Error struct{ err error }

// Error is the text after the error's name.
func (e *Error) Error() string {
	return "failed to download env files: file download command: non empty error stream: " + e.err.Error()
}

// ECSName is the error's name.
func (e *Error) ECSName() string { return "ResourceInitializationError" }

// Unwrap returns what Amazon S3 said.
func (e *Error) Unwrap() error { return e.err }

// Variables are the variables, NAME=value, of a container's files. Of a name that is
// given several times, the first counts. An error is an *Error, or why ctx ended.
func Variables(ctx context.Context, src Source, t *compute.Task, files []taskdef.EnvironmentFile) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for _, f := range files {
		b, err := src.Object(ctx, t, f.Value)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, &Error{err}
		}
		for _, v := range Parse(string(b)) {
			if name, _, _ := strings.Cut(v, "="); !seen[name] {
				seen[name] = true
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// Parse reads the lines of an environment file, NAME=value. Comments begin with #.
// Quotation marks and blanks belong to the value. Lines without a name or without a
// value are left out. Source: Pass environment variables to an Amazon ECS container,
// Developer Guide.
func Parse(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		name, value, ok := strings.Cut(line, "=")
		if ok && name != "" && value != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "\x00") {
			out = append(out, line)
		}
	}
	return out
}

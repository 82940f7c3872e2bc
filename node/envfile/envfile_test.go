package envfile

import (
	"context"
	"errors"
	"slices"
	"testing"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

func TestParse(t *testing.T) {
	got := Parse("# a comment\nA=1\n\nB= two words \r\nC=\"quoted\"\nD=a=b\nnothing\n=x\nE=\n#F=1\nbad=\x00\nlast=line")
	if want := []string{"A=1", "B= two words ", `C="quoted"`, "D=a=b", "last=line"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := Parse(""); got != nil {
		t.Errorf("%q", got)
	}
}

type source map[string]string

func (s source) Object(_ context.Context, _ *compute.Task, arn string) ([]byte, error) {
	if text, ok := s[arn]; ok {
		return []byte(text), nil
	}
	return nil, errors.New("NoSuchKey: " + arn)
}

func TestVariables(t *testing.T) {
	src := source{"a": "A=1\nB=1\nA=again\n", "b": "B=2\nC=2\n"}
	files := []taskdef.EnvironmentFile{{Value: "a"}, {Value: "b"}}
	got, err := Variables(t.Context(), src, nil, files)
	if want := []string{"A=1", "B=1", "C=2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	_, err = Variables(t.Context(), src, nil, append(files, taskdef.EnvironmentFile{Value: "none"}))
	if e, ok := errors.AsType[*Error](err); !ok || e.ECSName() != "ResourceInitializationError" ||
		e.Error() != "failed to download env files: file download command: non empty error stream: NoSuchKey: none" {
		t.Errorf("%v", err)
	}
}

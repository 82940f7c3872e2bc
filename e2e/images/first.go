package images

import (
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// FirstProgram builds the program in package first.
func FirstProgram(e2e string) ([]byte, error) {
	return Program(e2e, "./first", runtime.GOARCH, "-E", "main.entry")
}

// First is a program that says its first instruction, in package first, and nothing
// else; ENTRYPOINT /first.
func First(e2e string) ([]Recipe, error) {
	program, err := FirstProgram(e2e)
	if err != nil {
		return nil, err
	}
	return []Recipe{{
		Names: []string{"neargate/first:latest"},
		From:  fingerprint("1", string(program)),
		Make: func() (mutate.Appendable, error) {
			t := newTree()
			t.file("first", 0o755, string(program))
			return assemble(runtime.GOARCH, v1.Config{Entrypoint: []string{"/first"}}, t)
		},
	}}, nil
}

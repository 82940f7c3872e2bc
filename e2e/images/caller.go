package images

import (
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Caller is a program with an AWS SDK, in package caller, and nothing else: no
// certificates of anybody either.
func Caller(e2e string) ([]Recipe, error) {
	program, err := Program(e2e, "./caller", runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return []Recipe{{
		Names: []string{"neargate/caller:latest"},
		From:  fingerprint("1", string(program)),
		Make: func() (mutate.Appendable, error) {
			t := newTree()
			t.file("caller", 0o755, string(program))
			return assemble(runtime.GOARCH, v1.Config{Entrypoint: []string{"/caller"}}, t)
		},
	}}, nil
}

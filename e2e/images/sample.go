package images

import (
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Sample is the demo's image: a web page that shows its own task.
func Sample(e2e string) ([]Recipe, error) {
	program, err := Program(e2e, "./sample", runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return []Recipe{{
		Names: []string{"neargate/sample:latest"},
		From:  fingerprint("1", string(program)),
		Make: func() (mutate.Appendable, error) {
			t := newTree()
			for _, d := range []string{"dev", "etc", "proc", "sys"} {
				t.dir(d, 0o755)
			}
			t.dir("tmp", 0o1777)
			t.file("etc/passwd", 0o644, accounts)
			t.file("etc/group", 0o644, groups)
			t.file("sample", 0o755, string(program))
			return assemble(runtime.GOARCH, v1.Config{Entrypoint: []string{"/sample"},
				ExposedPorts: map[string]struct{}{"80/tcp": {}}}, t)
		},
	}}, nil
}

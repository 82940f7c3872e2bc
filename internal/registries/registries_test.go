package registries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "registries.json")
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"registries":{"public.ecr.aws":{"mirrors":["http://127.0.0.1:5000"],"only":true},"docker.io":{},"10.0.0.1:5000":{"insecure":true},"localhost":{}}}`: "",
		`{}`:                   "",
		`{`:                    "unexpected EOF",
		`{"registries":{}} {}`: "more than one JSON value",
		`{"registry":{}}`:      `unknown field "registry"`,
		`{"registries":{"a.example":{"mirror":[]}}}`:                                 `unknown field "mirror"`,
		`{"registries":{"a.example":{"mirrors":["127.0.0.1:5000"]}}}`:                `registry "a.example": `,
		`{"registries":{"a.example":{"mirrors":["ftp://a"]}}}`:                       `mirror "ftp://a": http:// or https://`,
		`{"registries":{"a.example":{"mirrors":["http://u:p@a"]}}}`:                  `mirror "http://u:xxxxx@a"`,
		`{"registries":{"a.example":{"mirrors":["http://"]}}}`:                       "a host",
		`{"registries":{"a.example":{"only":true}}}`:                                 `"only" needs a mirror`,
		`{"registries":{"a.example/x":{}}}`:                                          "no path",
		`{"registries":{"example":{}}}`:                                              "is no host as images name it",
		`{"registries":{"Not A Host":{}}}`:                                           "is no host",
		`{"registries":{"docker.io":{},"index.docker.io":{}}}`:                       "is there twice",
		`{"registries":{"a.example":{"ca":"` + filepath.Join(dir, "absent") + `"}}}`: "no such file",
		`{"registries":{"a.example":{"ca":"` + filepath.Join(dir, "text") + `"}}}`:   "holds no certificate",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
	if _, err := Read(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file was read")
	}
}

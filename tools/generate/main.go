// Command generate writes the packages under aws/ and docs/coverage.md from
// what is committed in models/: pruned Smithy models, operations.txt and
// overlay.json.
//
//	go run ./generate -root ..
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"neargate/tools/internal/smithy"
)

func main() {
	root := flag.String("root", "..", "root of the repository")
	flag.Parse()
	files, err := generate(filepath.Join(*root, "models"))
	if err == nil {
		err = write(*root, files)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate returns the contents of every generated file by its path below the
// root of the repository.
func generate(models string) (map[string][]byte, error) {
	operations, err := smithy.ReadOperations(filepath.Join(models, "operations.txt"))
	if err != nil {
		return nil, err
	}
	overlays, err := smithy.ReadOverlay(filepath.Join(models, "overlay.json"))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var services []*service
	for _, id := range slices.Sorted(maps.Keys(operations)) {
		model, err := smithy.Read(filepath.Join(models, id+".json"))
		if err != nil {
			return nil, err
		}
		if err := overlays[id].Apply(model); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		s, err := newService(id, model, operations[id])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		services = append(services, s)
		sources, err := s.files()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		for name, source := range sources {
			files["aws/"+id+"/"+name] = source
		}
	}
	files["docs/coverage.md"] = coverage(services)
	return files, nil
}

// write replaces the generated files under root; packages of services that are
// no longer listed disappear.
func write(root string, files map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(root, "aws", "*", "*.gen.go"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for name, data := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

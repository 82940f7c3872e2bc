// Command prune reduces full Smithy models to the shapes that the operations
// in models/operations.txt reach.
//
//	go run ./prune -from DIR
//
// DIR holds full models as *.json; the service of each is recognised by its
// SigV4 name. Only services named in operations.txt are written, each to
// models/<service>.json.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"neargate/tools/internal/smithy"
)

func main() {
	from := flag.String("from", "", "folder of full Smithy models")
	root := flag.String("root", "..", "root of the repository")
	flag.Parse()
	if err := run(*from, filepath.Join(*root, "models")); err != nil {
		fmt.Fprintln(os.Stderr, "prune:", err)
		os.Exit(1)
	}
}

func run(from, models string) error {
	operations, err := smithy.ReadOperations(filepath.Join(models, "operations.txt"))
	if err != nil {
		return err
	}
	overlays, err := smithy.ReadOverlay(filepath.Join(models, "overlay.json"))
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(from, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		full, err := smithy.Read(path)
		if err != nil {
			return err
		}
		service, ns, err := full.Service()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		id := smithy.ID(service)
		if operations[id] == nil {
			continue
		}
		pruned, err := prune(full, ns, operations[id], overlays[id])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := write(filepath.Join(models, id+".json"), pruned); err != nil {
			return err
		}
		delete(operations, id)
	}
	if len(operations) > 0 {
		return fmt.Errorf("no model in %s for %v", from, operations)
	}
	return nil
}

// prune returns the part of the full model that the operations and the overlay
// need.
func prune(full *smithy.Model, ns string, operations []string, overlay *smithy.Overlay) (*smithy.Model, error) {
	pruned := &smithy.Model{Smithy: full.Smithy, Shapes: map[string]*smithy.Shape{}}
	var roots []string
	for id, s := range full.Shapes {
		switch {
		case s.Type == "operation":
			pruned.Metadata.Operations = append(pruned.Metadata.Operations, smithy.Name(id))
		case s.Type == "service":
			kept := *s
			kept.Operations = nil
			for _, op := range operations {
				kept.Operations = append(kept.Operations, smithy.Ref{Target: ns + op})
			}
			pruned.Shapes[id] = trim(&kept)
		}
	}
	slices.Sort(pruned.Metadata.Operations)
	for _, op := range operations {
		s := full.Shapes[ns+op]
		if s == nil || s.Type != "operation" {
			return nil, fmt.Errorf("no operation %s", op)
		}
		pruned.Shapes[ns+op] = trim(s)
		roots = append(roots, s.Roots()...)
	}
	roots = append(roots, overlay.Needs(ns)...)
	err := full.Walk(roots, func(id string, s *smithy.Shape) { pruned.Shapes[id] = trim(s) })
	return pruned, err
}

// trim returns the shape without the traits nobody reads.
func trim(s *smithy.Shape) *smithy.Shape {
	s.Traits = keep(s.Traits)
	for _, e := range s.Elements() {
		e.Traits = keep(e.Traits)
	}
	return s
}

func keep(t smithy.Traits) smithy.Traits {
	for id := range t {
		if !slices.Contains(smithy.Kept, id) {
			delete(t, id)
		}
	}
	return t
}

func write(path string, m *smithy.Model) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

package estimate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"neargate/resource/billing"
	"neargate/resource/compute/taskdef"
)

// maxDocument bounds a task definition and a template; a template may have 1 MB.
const maxDocument = 1 << 20

// definition is the part of a task definition that has a price.
type definition struct {
	Family                  string
	CPU, Memory             *string
	RequiresCompatibilities []string
	EphemeralStorage        *struct{ SizeInGiB int }
	RuntimePlatform         *struct{ CpuArchitecture, OperatingSystemFamily string }
	ContainerDefinitions    []struct{ Name string }
}

// TaskDefinition reads a task definition as JSON: what RegisterTaskDefinition
// takes, or what DescribeTaskDefinition answers. The plan has count tasks of it.
func TaskDefinition(b []byte, count int64, spot bool) (Plan, error) {
	if len(b) > maxDocument {
		return Plan{}, fmt.Errorf("task definition: more than %d bytes", maxDocument)
	}
	var doc struct {
		definition
		TaskDefinition *definition
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return Plan{}, fmt.Errorf("task definition: line %d: %w", 1+bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n")), err)
		}
		return Plan{}, fmt.Errorf("task definition: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	d := doc.definition
	if doc.TaskDefinition != nil {
		d = *doc.TaskDefinition
	}
	if len(d.ContainerDefinitions) == 0 {
		return Plan{}, errors.New("task definition: containerDefinitions: there are none")
	}
	size, err := d.size()
	if err != nil {
		return Plan{}, fmt.Errorf("task definition: %w", err)
	}
	size.Spot = spot
	name := "task of " + Describe(size)
	if d.Family != "" {
		name = d.Family + ": " + name
	}
	return Plan{Items: []Item{{Name: name, Count: count, Size: &size}}}, size.Check()
}

// size is what a task asks for. It may be one Fargate does not have.
func (d *definition) size() (billing.Size, error) {
	var s billing.Size
	if len(d.RequiresCompatibilities) > 0 && !slices.Contains(d.RequiresCompatibilities, "FARGATE") {
		return s, fmt.Errorf("requiresCompatibilities: without FARGATE a task costs what its instances cost")
	}
	if d.CPU == nil || d.Memory == nil {
		return s, errors.New("cpu or memory is missing; on Fargate a task needs both")
	}
	var ok bool
	if s.CPU, ok = taskdef.ParseCPU(*d.CPU); !ok {
		return s, fmt.Errorf("cpu: %q is no size of a task", *d.CPU)
	}
	if s.Memory, ok = taskdef.ParseMemory(*d.Memory); !ok {
		return s, fmt.Errorf("memory: %q is no size of a task", *d.Memory)
	}
	if d.EphemeralStorage != nil {
		if s.StorageGiB = d.EphemeralStorage.SizeInGiB; s.StorageGiB == 0 {
			return s, errors.New("ephemeralStorage: sizeInGiB is missing")
		}
	}
	if p := d.RuntimePlatform; p != nil {
		s.Architecture, s.OSFamily = p.CpuArchitecture, p.OperatingSystemFamily
	}
	return s, nil
}

// Describe prints a size, e.g. 1 vCPU, 2 GB, 30 GB storage, ARM64.
func Describe(s billing.Size) string {
	parts := []string{billing.Ratio(int64(s.CPU), 1024).String() + " vCPU", billing.Ratio(int64(s.Memory), 1024).String() + " GB"}
	if s.StorageGiB != 0 {
		parts = append(parts, fmt.Sprintf("%d GB storage", s.StorageGiB))
	}
	if s.Architecture != "" {
		parts = append(parts, strings.ToUpper(s.Architecture))
	}
	if s.Windows() {
		parts = append(parts, "Windows")
	}
	if s.Spot {
		parts = append(parts, "Spot")
	}
	return strings.Join(parts, ", ")
}

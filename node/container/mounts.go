package container

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"neargate/node/sandbox"
	"neargate/resource/compute/taskdef"
)

// mounts are a container's volumes, outer ones before those inside them: its mount
// points, what volumesFrom brings where it mounts nothing itself, and the volumes
// its image declares for the rest.
//
// A volume begins with what the image has where it is mounted if the image declares
// a volume at that very path. Source: Amazon ECS developer guide, bind mounts.
func mounts(def *taskdef.Definition, d *taskdef.Container, images map[string]Image) ([]sandbox.Mount, error) {
	all, err := byTarget(def, d, images, nil)
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(all), func(a, b sandbox.Mount) int {
		return cmp.Or(cmp.Compare(strings.Count(a.Target, "/"), strings.Count(b.Target, "/")), cmp.Compare(a.Target, b.Target))
	}), nil
}

// byTarget are a container's mounts by their targets. via are the containers whose
// volumesFrom led here, so that a circle ends.
func byTarget(def *taskdef.Definition, d *taskdef.Container, images map[string]Image, via []string) (map[string]sandbox.Mount, error) {
	own, err := mountPoints(d)
	if err != nil {
		return nil, err
	}
	all, err := from(def, d, images, append(slices.Clone(via), d.Name))
	if err != nil {
		return nil, err
	}
	maps.Copy(all, own)
	for target, volume := range declared(d.Name, images[d.Name]) {
		m, taken := all[target]
		if !taken {
			m = sandbox.Mount{Volume: volume, Target: target}
		}
		if _, mine := own[target]; mine || !taken {
			m.Copy = true
		}
		all[target] = m
	}
	return all, nil
}

// mountPoints are what a definition says a container mounts, by target.
func mountPoints(d *taskdef.Container) (map[string]sandbox.Mount, error) {
	own := map[string]sandbox.Mount{}
	for _, m := range d.MountPoints {
		target := path.Clean(m.ContainerPath)
		switch _, twice := own[target]; {
		case !path.IsAbs(target):
			return nil, cannotCreate("invalid mount config for type \"bind\": invalid mount path: '%s' mount path must be absolute", m.ContainerPath)
		case target == "/":
			return nil, cannotCreate("invalid mount config for type \"bind\": invalid specification: destination can't be '/'")
		case twice:
			return nil, cannotCreate("Duplicate mount point: %s", target)
		}
		own[target] = sandbox.Mount{Volume: volumeName(m.SourceVolume), Target: target, ReadOnly: value(m.ReadOnly)}
	}
	return own, nil
}

// from is what a container's volumesFrom brings, by target.
func from(def *taskdef.Definition, d *taskdef.Container, images map[string]Image, via []string) (map[string]sandbox.Mount, error) {
	all := map[string]sandbox.Mount{}
	for _, f := range d.VolumesFrom {
		if slices.Contains(via, f.SourceContainer) {
			continue
		}
		source := def.Container(f.SourceContainer)
		if _, ok := images[f.SourceContainer]; source == nil || !ok {
			return nil, cannotCreate("No such container: %s", f.SourceContainer)
		}
		theirs, err := byTarget(def, source, images, via)
		if err != nil {
			return nil, err
		}
		for target, m := range theirs {
			m.Copy = false // the source begins it
			m.ReadOnly = m.ReadOnly || value(f.ReadOnly)
			all[target] = m
		}
	}
	return all, nil
}

// declared are the volumes an image declares, each with the name of the volume that
// is made for it where the task says none. Names of ECS hold no dots.
func declared(container string, img Image) map[string]string {
	out := map[string]string{}
	for i, p := range slices.Sorted(maps.Keys(img.Config.Volumes)) {
		if target := path.Join("/", p); target != "/" {
			out[target] = volumeName(fmt.Sprintf("%s.%d", container, i))
		}
	}
	return out
}

// maxName keeps the names of volumes within those of files.
const maxName = 200

// volumeName is a volume's name in the sandbox.
func volumeName(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "long." + hex.EncodeToString(sum[:])
}

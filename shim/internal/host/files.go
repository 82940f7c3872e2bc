package host

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"neargate/shim/api"
)

// Files are mounts of the task's own files for a container, but those at whose
// path it mounts something itself. They come after the container's mounts, which
// may be directories around them. They lie on the task's disk, since containers
// may write to them.
func (h *Host) Files(c api.Container) ([]api.Mount, error) {
	h.filesOnce.Do(func() { h.fileMounts, h.filesErr = h.writeFiles() })
	return slices.DeleteFunc(slices.Clone(h.fileMounts), func(f api.Mount) bool {
		return slices.ContainsFunc(c.Mounts, func(m api.Mount) bool { return filepath.Clean(m.Target) == f.Target })
	}), h.filesErr
}

func (h *Host) writeFiles() ([]api.Mount, error) {
	if len(h.Cfg.Spec.Files) == 0 {
		return nil, nil
	}
	on, err := h.Disk()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(on, "files")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var all []api.Mount
	for i, path := range slices.Sorted(maps.Keys(h.Cfg.Spec.Files)) {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
			return nil, fmt.Errorf("file %q: no absolute path", path)
		}
		source := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(source, []byte(h.Cfg.Spec.Files[path]), 0o644); err != nil {
			return nil, err
		}
		all = append(all, api.Mount{Source: source, Target: path})
	}
	return all, nil
}

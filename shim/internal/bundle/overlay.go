package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Overlay mounts read-only layers, the uppermost first, with a writable directory
// over them; dir holds what it needs, and the mount.
func Overlay(dir string, layers []string) (root string, err error) {
	root = filepath.Join(dir, "root")
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{root, upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	names := append([]string{upper, work}, layers...)
	options := overlayOptions(names)
	if !mountable(names, options) {
		var release func()
		if names, release, err = descriptors(names); err != nil {
			return "", err
		}
		defer release()
		options = overlayOptions(names)
	}
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		return "", fmt.Errorf("overlay of %d layers: %w", len(layers), err)
	}
	return root, nil
}

// overlayOptions names the upper directory, the work directory and the layers.
func overlayOptions(names []string) string {
	return "lowerdir=" + strings.Join(names[2:], ":") + ",upperdir=" + names[0] + ",workdir=" + names[1]
}

// mountable reports whether mount(2) takes the options, which are a page at most
// and give some characters a meaning.
func mountable(names []string, options string) bool {
	for _, n := range names {
		if strings.ContainsAny(n, `:,\`) {
			return false
		}
	}
	return len(options) < os.Getpagesize()
}

// descriptors opens directories and names each by its descriptor, in few plain
// characters: an image's 127 layers fit a page. The names hold until release.
func descriptors(dirs []string) (names []string, release func(), err error) {
	var open []int
	release = func() {
		for _, fd := range open {
			_ = unix.Close(fd) // it was only for its name
		}
	}
	for _, d := range dirs {
		fd, err := unix.Open(d, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			release()
			return nil, nil, &os.PathError{Op: "open", Path: d, Err: err}
		}
		open = append(open, fd)
		names = append(names, fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	return names, release, nil
}

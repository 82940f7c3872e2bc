// Package disk gives a task a file system of limited size: ext4 in a sparse file,
// on a loop device that goes when the last mount does.
package disk

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// attempts bounds the race for a free loop device.
const attempts = 100

// inodeBytes is what ext4 keeps an inode for, and what that takes of the disk.
const inodeBytes, inodeSize = 16 << 10, 256

// Mount makes a file system with room for so many MiB in a file and mounts it at
// dir. It is a copy of a template where shared, a directory of many, has one of
// that size, and else becomes one.
func Mount(file, dir string, mib int, shared string) error {
	room := int64(mib) << 20
	size := room + room*inodeSize/inodeBytes + room/512 + 2<<20 // tables, bitmaps, superblocks
	options := []string{"-q", "-F", "-m", "0", "-I", strconv.Itoa(inodeSize), "-i", strconv.Itoa(inodeBytes), "-O", "^has_journal,^resize_inode",
		"-E", "lazy_itable_init=1,nodiscard"}
	kind := crc32.ChecksumIEEE([]byte(fmt.Sprint(size, options)))
	template := filepath.Join(shared, fmt.Sprintf("%s%d-%08x", TemplatePrefix, mib, kind))
	if copied, err := fromTemplate(template, file, size); err == nil && copied {
		if mount(file, dir) == nil {
			return nil
		}
	}
	if err := format(file, size, options); err != nil {
		return err
	}
	if keep(file, template) != nil {
		_ = os.Remove(file + fresh) // the next one makes its own, too
	}
	return mount(file, dir)
}

func format(file string, size int64, options []string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	if out, err := exec.Command("mkfs.ext4", append(options, file)...).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return nil
}

// mount mounts the file system in a file, which goes with the mount.
func mount(file, dir string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	loop, err := attach(f)
	if err != nil {
		return fmt.Errorf("loop device: %w", err)
	}
	defer loop.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// No barriers: after a crash of the host nobody asks for what was written.
	if err := unix.Mount(loop.Name(), dir, "ext4", unix.MS_NOATIME|unix.MS_NODEV, "barrier=0"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return errors.Join(os.RemoveAll(dir+"/lost+found"), os.Remove(file))
}

// attach puts the file behind a free loop device, which frees itself after its
// last use.
func attach(f *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range attempts {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &unix.LoopConfig{
			Fd:   uint32(f.Fd()),
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR},
		})
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, err
		}
	}
	return nil, unix.EBUSY
}

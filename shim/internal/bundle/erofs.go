package bundle

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"runtime"
	"slices"
)

// Of an EROFS image. Source: Linux, Documentation/filesystems/erofs.rst and
// fs/erofs/erofs_fs.h.
const (
	erofsMagic  = 0xe0f5e1e2
	erofsSuper  = 1024 // offset of the superblock, 128 bytes
	erofsBlock  = 4096
	erofsSlot   = 32 // bytes of an inode; its number counts them
	erofsFirst  = (erofsSuper + 128) / erofsSlot
	erofsDirent = 12
)

// erofsNode is a file or an empty directory in the root of an image.
type erofsNode struct {
	name string
	mode uint16
	data []byte
}

const modeDir, modeFile = 0o040755, 0o100755

// PauseImage writes what PauseRoot makes as an EROFS image, with the directories
// that gVisor mounts on: it can serve that by itself, without a gofer.
func PauseImage(file string) error {
	nodes := []erofsNode{{"dev", modeDir, nil}, {"proc", modeDir, nil}, {"sys", modeDir, nil}, {"tmp", modeDir, nil}}
	for _, name := range slices.Sorted(maps.Keys(pausePrograms)) {
		b, err := executable(runtime.GOARCH, pausePrograms[name])
		if err != nil {
			return err
		}
		nodes = append(nodes, erofsNode{name[1:], modeFile, b})
	}
	return os.WriteFile(file, erofs(nodes), 0o600)
}

// erofs is an image: a block with the superblock and the inodes, the root first,
// then a block for the content of each.
func erofs(nodes []erofsNode) []byte {
	number := map[string]uint32{".": erofsFirst, "..": erofsFirst}
	kinds := map[string]uint16{".": modeDir, "..": modeDir}
	blocks := [][]byte{nil, nil}
	var inodes bytes.Buffer
	links := uint16(2)
	var below bytes.Buffer
	for i, n := range nodes {
		number[n.name], kinds[n.name] = uint32(erofsFirst+1+i), n.mode
		block, nlink := uint32(len(blocks)), uint16(1)
		data := n.data
		if n.mode == modeDir {
			data = directory(map[string]uint32{".": number[n.name], "..": erofsFirst}, map[string]uint16{".": modeDir, "..": modeDir})
			nlink = 2
			links++
		}
		blocks = append(blocks, data)
		inode(&below, n.mode, nlink, len(data), block, number[n.name])
	}
	blocks[1] = directory(number, kinds)
	inode(&inodes, modeDir, links, len(blocks[1]), 1, erofsFirst)
	inodes.Write(below.Bytes())

	image := make([]byte, erofsBlock*len(blocks))
	super := image[erofsSuper:]
	binary.LittleEndian.PutUint32(super, erofsMagic)
	super[12] = 12 // bits of the block size
	binary.LittleEndian.PutUint16(super[14:], erofsFirst)
	binary.LittleEndian.PutUint64(super[16:], uint64(len(nodes)+1))
	binary.LittleEndian.PutUint32(super[36:], uint32(len(blocks)))
	copy(image[erofsFirst*erofsSlot:], inodes.Bytes())
	for i, b := range blocks {
		copy(image[i*erofsBlock:], b)
	}
	return image
}

// inode appends one in the compact form, its content in whole blocks.
func inode(to *bytes.Buffer, mode, links uint16, size int, block, number uint32) {
	for _, field := range []any{
		uint16(0), uint16(0), mode, links, uint32(size), uint32(0), block, number, uint16(0), uint16(0), uint32(0),
	} {
		_ = binary.Write(to, binary.LittleEndian, field) // to memory
	}
}

// directory is the content of one: entries in the order of their names, then the
// names.
func directory(number map[string]uint32, kinds map[string]uint16) []byte {
	var names []string
	for n := range number {
		names = append(names, n)
	}
	slices.Sort(names)
	var entries, text bytes.Buffer
	for _, n := range names {
		kind := uint8(1) // a file
		if kinds[n] == modeDir {
			kind = 2
		}
		at := uint16(erofsDirent*len(names) + text.Len())
		for _, field := range []any{uint64(number[n]), at, kind, uint8(0)} {
			_ = binary.Write(&entries, binary.LittleEndian, field)
		}
		text.WriteString(n)
	}
	return append(entries.Bytes(), text.Bytes()...)
}

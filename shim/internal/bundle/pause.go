package bundle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// pauseCode ignores SIGCHLD, so that orphans of a shared PID namespace are
// reaped, and sleeps until it is killed:
//
//	rt_sigaction(SIGCHLD, &{SIG_IGN, 0, 0, 0}, NULL, 8); for { pause() }
//
// The structure lies on the stack.
var pauseCode = map[string][]byte{
	"amd64": {
		0x31, 0xc0, //             xor  eax, eax
		0x50, 0x50, 0x50, //       push rax (three times: mask, restorer, flags)
		0x6a, 0x01, //             push 1   (SIG_IGN)
		0x48, 0x89, 0xe6, //       mov  rsi, rsp
		0x31, 0xd2, //             xor  edx, edx
		0x6a, 0x08, 0x41, 0x5a, // push 8; pop r10
		0x6a, 0x11, 0x5f, //       push 17; pop rdi
		0x6a, 0x0d, 0x58, //       push 13; pop rax
		0x0f, 0x05, //             syscall
		0x6a, 0x22, 0x58, //       push 34; pop rax
		0x0f, 0x05, //             syscall
		0xeb, 0xf9, //             jmp  -7
	},
	"arm64": words(
		0xd10083ff, // sub  sp, sp, #32
		0xd2800020, // mov  x0, #1
		0xa9007fe0, // stp  x0, xzr, [sp]
		0xa9017fff, // stp  xzr, xzr, [sp, #16]
		0xd2800220, // mov  x0, #17
		0x910003e1, // mov  x1, sp
		0xd2800002, // mov  x2, #0
		0xd2800103, // mov  x3, #8
		0xd28010c8, // mov  x8, #134
		0xd4000001, // svc  #0
		0xd2800000, // mov  x0, #0  (ppoll(NULL, 0, NULL, NULL))
		0xd2800001, // mov  x1, #0
		0xd2800002, // mov  x2, #0
		0xd2800003, // mov  x3, #0
		0xd2800928, // mov  x8, #73
		0xd4000001, // svc  #0
		0x17fffffa, // b    -24
	),
}

// HostnamePath is where the root of a sandbox has a program that sets the
// hostname of its UTS namespace.
const HostnamePath = "/hostname"

// hostnameCode makes its one argument the hostname, and exits with the number of
// the error, 0 for none:
//
//	_exit(-sethostname(argv[1], strlen(argv[1])))
var hostnameCode = map[string][]byte{
	"amd64": {
		0x58, 0x58, 0x5f, //             pop  rax (argc); pop rax (argv[0]); pop rdi (argv[1])
		0x31, 0xf6, //                   xor  esi, esi
		0x80, 0x3c, 0x37, 0x00, //       cmp  byte [rdi+rsi], 0
		0x74, 0x04, //                   je   +4
		0xff, 0xc6, //                   inc  esi
		0xeb, 0xf6, //                   jmp  -10
		0xb8, 0xaa, 0x00, 0x00, 0x00, // mov  eax, 170
		0x0f, 0x05, //                   syscall
		0x89, 0xc7, 0xf7, 0xdf, //       mov  edi, eax; neg edi
		0xb8, 0x3c, 0x00, 0x00, 0x00, // mov  eax, 60
		0x0f, 0x05, //                   syscall
	},
	"arm64": words(
		0xf9400be0, // ldr  x0, [sp, #16]
		0xd2800001, // mov  x1, #0
		0x38616802, // ldrb w2, [x0, x1]
		0x34000062, // cbz  w2, +12
		0x91000421, // add  x1, x1, #1
		0x17fffffd, // b    -12
		0xd2801428, // mov  x8, #161
		0xd4000001, // svc  #0
		0xcb0003e0, // neg  x0, x0
		0xd2800ba8, // mov  x8, #93
		0xd4000001, // svc  #0
	),
}

func words(w ...uint32) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// pausePrograms are the programs of a sandbox's root, by path.
var pausePrograms = map[string]map[string][]byte{"/pause": pauseCode, HostnamePath: hostnameCode, WritePath: writeCode}

// PauseRoot makes a root file system with nothing but /pause, a program that
// sleeps for ever and costs a page, and those at HostnamePath and WritePath.
func PauseRoot(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, code := range pausePrograms {
		b, err := executable(runtime.GOARCH, code)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// executable is a 64-bit executable of one segment. Source: elf(5).
func executable(arch string, codes map[string][]byte) ([]byte, error) {
	machine, code := map[string]uint16{"amd64": 62, "arm64": 183}[arch], codes[arch]
	if code == nil {
		return nil, fmt.Errorf("no program for %s", arch)
	}
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(code))
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, field := range []any{
		uint16(2), machine, uint32(1), uint64(base + headers), uint64(64), uint64(0), uint32(0),
		uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(0x10000),
	} {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			return nil, err
		}
	}
	b.Write(code)
	return b.Bytes(), nil
}

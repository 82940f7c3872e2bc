package bundle

import "runtime"

// umountCode waits for a byte from file 3, unmounts /proc, and exits with the number of
// the error, 0 for none; with 1 where no byte comes:
//
//	if (read(3, buf, 1) != 1) _exit(1); _exit(-umount2("/proc", MNT_DETACH))
//
// Buffer and path lie on the stack.
var umountCode = map[string][]byte{
	"amd64": {
		0x31, 0xc0, //             xor  eax, eax
		0x50, 0x48, 0x89, 0xe6, // push rax; mov rsi, rsp
		0x6a, 0x03, 0x5f, //       push 3; pop rdi
		0x6a, 0x01, 0x5a, //       push 1; pop rdx
		0x0f, 0x05, //             syscall
		0x83, 0xf8, 0x01, //       cmp  eax, 1
		0x75, 0x1e, //             jne  +30
		0x48, 0xb8, 0x2f, 0x70, 0x72, 0x6f, 0x63, 0x00, 0x00, 0x00, // mov rax, "/proc"
		0x50, 0x48, 0x89, 0xe7, // push rax; mov rdi, rsp
		0x6a, 0x02, 0x5e, //       push 2; pop rsi
		0xb8, 0xa6, 0x00, 0x00, 0x00, // mov eax, 166
		0x0f, 0x05, //             syscall
		0x89, 0xc7, 0xf7, 0xdf, // mov  edi, eax; neg edi
		0xeb, 0x03, //             jmp  +3
		0x6a, 0x01, 0x5f, //       push 1; pop rdi
		0xb8, 0x3c, 0x00, 0x00, 0x00, // mov eax, 60
		0x0f, 0x05, //             syscall
	},
	"arm64": words(
		0xd10083ff, // sub  sp, sp, #32
		0xb24007e0, // mov  x0, #3
		0x910003e1, // mov  x1, sp
		0xb24003e2, // mov  x2, #1
		0xb24017e8, // mov  x8, #63
		0xd4000001, // svc  #0
		0xf100041f, // cmp  x0, #1
		0x54000161, // b.ne +44
		0xd28e05e3, // mov  x3, "/p"
		0xf2adee43, // movk x3, "ro", lsl #16
		0xf2c00c63, // movk x3, "c", lsl #32
		0xf90003e3, // str  x3, [sp]
		0x910003e0, // mov  x0, sp
		0xb27f03e1, // mov  x1, #2
		0xd28004e8, // mov  x8, #39
		0xd4000001, // svc  #0
		0xcb0003e0, // neg  x0, x0
		0x14000002, // b    +8
		0xb24003e0, // mov  x0, #1
		0xd2800ba8, // mov  x8, #93
		0xd4000001, // svc  #0
	),
}

// UmountProgram is a program that unmounts /proc when a byte comes from its file 3.
func UmountProgram() ([]byte, error) { return executable(runtime.GOARCH, umountCode) }

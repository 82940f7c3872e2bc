package bundle

// WritePath is where the root of a sandbox has a program that writes its second
// argument to the file that its first names, which is there.
const WritePath = "/write"

// writeCode exits with the number of the error, 0 for none:
//
//	fd = open(argv[1], O_WRONLY); _exit(-(fd < 0 ? fd : min(0, write(fd, argv[2], strlen(argv[2])))))
var writeCode = map[string][]byte{
	"amd64": {
		0x58, 0x58, 0x5f, 0x5b, // pop  rax (argc); pop rax (argv[0]); pop rdi (argv[1]); pop rbx (argv[2])
		0x6a, 0x01, 0x5e, //       push 1; pop rsi
		0x6a, 0x02, 0x58, //       push 2; pop rax (open)
		0x0f, 0x05, //             syscall
		0x85, 0xc0, //             test eax, eax
		0x78, 0x1c, //             js   +28
		0x89, 0xc7, //             mov  edi, eax
		0x48, 0x89, 0xde, //       mov  rsi, rbx
		0x31, 0xd2, //             xor  edx, edx
		0x80, 0x3c, 0x16, 0x00, // cmp  byte [rsi+rdx], 0
		0x74, 0x04, //             je   +4
		0xff, 0xc2, //             inc  edx
		0xeb, 0xf6, //             jmp  -10
		0x6a, 0x01, 0x58, //       push 1; pop rax (write)
		0x0f, 0x05, //             syscall
		0x85, 0xc0, //             test eax, eax
		0x78, 0x02, //             js   +2
		0x31, 0xc0, //             xor  eax, eax
		0x89, 0xc7, 0xf7, 0xdf, // mov  edi, eax; neg edi
		0x6a, 0x3c, 0x58, //       push 60; pop rax (exit)
		0x0f, 0x05, //             syscall
	},
	"arm64": words(
		0xf9400be1, // ldr  x1, [sp, #16]
		0xf9400ff3, // ldr  x19, [sp, #24]
		0x92800c60, // mov  x0, #-100 (AT_FDCWD)
		0xd2800022, // mov  x2, #1
		0xd2800003, // mov  x3, #0
		0xd2800708, // mov  x8, #56 (openat)
		0xd4000001, // svc  #0
		0xb7f80160, // tbnz x0, #63, +44
		0xaa1303e1, // mov  x1, x19
		0xd2800002, // mov  x2, #0
		0x38626823, // ldrb w3, [x1, x2]
		0x34000063, // cbz  w3, +12
		0x91000442, // add  x2, x2, #1
		0x17fffffd, // b    -12
		0xd2800808, // mov  x8, #64 (write)
		0xd4000001, // svc  #0
		0xb7f80040, // tbnz x0, #63, +8
		0xd2800000, // mov  x0, #0
		0xcb0003e0, // neg  x0, x0
		0xd2800ba8, // mov  x8, #93 (exit)
		0xd4000001, // svc  #0
	),
}

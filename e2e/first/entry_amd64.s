#include "textflag.h"

DATA line<>+0(SB)/6, $"first\n"
GLOBL line<>(SB), RODATA|NOPTR, $6

// func entry()
TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	MOVQ $1, AX // write(1, line, 6)
	MOVQ $1, DI
	LEAQ line<>(SB), SI
	MOVQ $6, DX
	SYSCALL
	JMP  _rt0_amd64_linux(SB)

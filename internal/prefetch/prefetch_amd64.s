//go:build !purego

#include "textflag.h"

// func lines(at unsafe.Pointer, n int)
// Touches AX, CX and flags. PREFETCHT0 never faults.
TEXT ·lines(SB), NOSPLIT, $0-16
	MOVQ at+0(FP), AX
	MOVQ n+8(FP), CX
	TESTQ CX, CX
	JLE  done
line:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	DECQ CX
	JNZ  line
done:
	RET

// func rows(base unsafe.Pointer, stride, n int, ids []uint32)
// Row after row, n lines each. Touches AX, BX, CX, DX, SI, DI, R8 and flags.
TEXT ·rows(SB), NOSPLIT, $0-48
	MOVQ base+0(FP), AX
	MOVQ stride+8(FP), BX
	MOVQ n+16(FP), DX
	SHLQ $6, DX
	MOVQ ids_base+24(FP), SI
	MOVQ ids_len+32(FP), CX
	LEAQ (SI)(CX*4), CX
	JMP  next
row:
	MOVL  (SI), DI
	IMULQ BX, DI
	ADDQ  AX, DI
	ADDQ  $4, SI
	XORQ  R8, R8
line:
	PREFETCHT0 (DI)(R8*1)
	ADDQ $64, R8
	CMPQ R8, DX
	JLT  line
next:
	CMPQ SI, CX
	JLT  row
	RET

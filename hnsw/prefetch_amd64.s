//go:build !purego

#include "textflag.h"

// func prefetch(row *uint32)
// Asks for the two cache lines from row on. No registers but AX, no flags, no CPU features needed.
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVQ row+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET

//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	queryPlanes = 4
	factorBytes = 16  // behind the first plane: scale, add, first, deviations
	groupSize   = 256 // values of a group
)

var queryWeights = [queryPlanes]int{-8, 4, 2, 1} // of the query's planes: two's complement

func newPlaneBatch() *batch {
	b := newBatch()
	b.ids = nil // registers are short: read where needed
	return b
}

// planeRows scores whole rows of bit planes: word by word, of all planes at once. The row registers move on with the
// words, so that in the end they point at the factors.
func planeRows(s avx512, bits int) {
	name := fmt.Sprintf("plane%dRows%s", bits, s.suffix())
	TEXT(name, NOSPLIT, "func(q []int8, base []byte, stride, rowBytes int, ids []uint32, bias int32, mul, add float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores four rows of %d planes at a time, one accumulator each, exactly. len(q) is a multiple of 64. At least four ids. Needs %s.", name, bits, s.needs()))
	Pragma("noescape")
	b := newPlaneBatch()
	rowBytes := param(Param("rowBytes"))
	plane, plane3 := GP64(), GP64() // bytes of one plane and of three
	MOVQ(rowBytes, plane)
	b.prefetchFirst(plane)
	MOVQ(b.params["dim"], plane)
	SHRQ(U8(3), plane)
	if bits > 3 {
		LEAQ(Mem{Base: plane, Index: plane, Scale: 2}, plane3)
	}
	acc := newAccumulators(s)
	consts := s.planeConstants(bits)

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		var planes [rowBlock][]Mem
		for j, row := range b.rows {
			planes[j] = []Mem{
				{Base: row},
				{Base: row, Index: plane, Scale: 1, Disp: factorBytes},
				{Base: row, Index: plane, Scale: 2, Disp: factorBytes},
				{Base: row, Index: plane3, Scale: 1, Disp: factorBytes},
			}[:bits]
		}
		if bits == 4 {
			b.groups(rowBytes, func() { s.planeGroup(consts[bits:], b.at(b.q, 0), planes, acc) })
			CMPQ(b.off, b.params["dim"])
			JGE(LabelRef("sum"))
		}
		Label("word")
		CMPQ(b.off, rowBytes) // a row has no more lines than words
		JGE(LabelRef("prefetched"))
		b.prefetchLine(0)
		Label("prefetched")
		s.planeWord(consts, b.at(b.q, 0), planes, acc)
		for _, row := range b.rows {
			ADDQ(U8(8), row)
		}
		ADDQ(U8(lineBytes), b.off)
		CMPQ(b.off, b.params["dim"])
		JL(LabelRef("word"))
		Label("sum")
		sums := s.sum4Int(acc)
		VPADDD(sums.AsX(), sums.AsX(), sums.AsX())
		XORQ(b.tmp, b.tmp)
		b.finishPlanes(sums.AsX(), 0)
		b.store(sums)
	})
}

// groupedPlaneRows scores whole rows of bit planes with a query in groups: 32 bytes of each plane at a time. The row
// registers move on with the groups, so that in the end they are as far behind the first plane's end as the last group.
func groupedPlaneRows(s avx2, bits int) {
	name := fmt.Sprintf("plane%dRows%s", bits, s.suffix())
	TEXT(name, NOSPLIT, "func(q []int8, base []byte, stride, plane int, ids []uint32, bias int32, mul, add float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores four rows of %d planes at a time, one accumulator each, exactly. len(q) is a multiple of %d. At least four ids. Needs %s.", name, bits, groupSize, s.needs()))
	Pragma("noescape")
	b := newPlaneBatch()
	plane, third := GP64(), GP64() // bytes of one plane; of three
	MOVQ(param(Param("plane")), plane)
	rowBytes := third
	MOVQ(plane, rowBytes)
	if bits > 1 {
		SHLQ(U8(bits/2), rowBytes)
	}
	ADDQ(U8(factorBytes), rowBytes)
	b.prefetchFirst(rowBytes)
	if bits > 3 {
		LEAQ(Mem{Base: plane, Index: plane, Scale: 2}, third)
	}
	acc := newAccumulators(s)
	mask := YMM()
	consts := s.groupConstants(bits)

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		for _, row := range b.coming { // the last line, which the factors may push behind those of the groups
			PREFETCHT0(Mem{Base: row, Index: plane, Scale: uint8(bits), Disp: factorBytes - 1})
		}
		Label("group")
		// A group has 32 bytes of each plane and as many lines of the coming rows to prefetch as that is.
		for line := range (32*bits + lineBytes - 1) / lineBytes {
			for _, row := range b.coming {
				PREFETCHT0(Mem{Base: row, Disp: line * lineBytes})
			}
		}
		for _, row := range b.coming {
			ADDQ(U32(32*bits), row)
		}
		// Bytes of the planes that are left, in doublewords.
		MOVQ(b.off, b.tmp)
		SHRQ(U8(3), b.tmp)
		SUBQ(plane, b.tmp) // minus what is left
		CMPQ(b.tmp, I8(-32))
		JGE(LabelRef("masked"))
		MOVQ(I32(-32), b.tmp)
		Label("masked")
		s.leftMask(b.tmp, mask)
		for j, row := range b.rows {
			planes := []Mem{
				{Base: row},
				{Base: row, Index: plane, Scale: 1, Disp: factorBytes},
				{Base: row, Index: plane, Scale: 2, Disp: factorBytes},
				{Base: row, Index: third, Scale: 1, Disp: factorBytes},
			}[:bits]
			s.group(consts, mask, b.at(b.q, 0), planes, acc[j])
		}
		for _, row := range b.rows {
			ADDQ(U8(32), row)
		}
		ADDQ(U32(groupSize), b.off)
		CMPQ(b.off, b.params["dim"])
		JL(LabelRef("group"))
		sums := s.sum4Int(acc)
		VPADDD(sums.AsX(), sums.AsX(), sums.AsX())
		MOVQ(b.off, b.tmp) // back to the factors
		SHRQ(U8(3), b.tmp)
		NEGQ(b.tmp)
		ADDQ(plane, b.tmp)
		b.finishPlanes(sums.AsX(), 0)
		b.store(sums)
	})
}

// groupValues transposes eight times eight bytes at a time.
func groupValues(s avx2) {
	TEXT("groupValues"+s.suffix(), NOSPLIT, "func(dst, src []int8)")
	Doc("groupValues" + s.suffix() + " transposes 64 values at a time. len(src) is a multiple of 64 and not zero; dst has whole groups. Needs AVX2.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64()), Load(Param("src").Len(), GP64())
	off := GP64()
	XORQ(off, off)
	Label("word")
	var v [8]VecVirtual
	for i := range v {
		v[i] = XMM()
		VMOVQ(Mem{Base: src, Disp: 8 * i}, v[i])
	}
	unpack := func(lowOf func(a, b, dst Op), highOf func(a, b, dst Op), a, b VecVirtual) (low, high VecVirtual) {
		low, high = XMM(), XMM()
		lowOf(b, a, low)
		if highOf != nil {
			highOf(b, a, high)
		}
		return low, high
	}
	bytesLow := func(a, b, dst Op) { VPUNPCKLBW(a, b, dst) }
	wordsLow, wordsHigh := func(a, b, dst Op) { VPUNPCKLWD(a, b, dst) }, func(a, b, dst Op) { VPUNPCKHWD(a, b, dst) }
	doublesLow, doublesHigh := func(a, b, dst Op) { VPUNPCKLDQ(a, b, dst) }, func(a, b, dst Op) { VPUNPCKHDQ(a, b, dst) }
	var pair [4]VecVirtual // of bytes i and i+1, for every value
	for i := range pair {
		pair[i], _ = unpack(bytesLow, nil, v[2*i], v[2*i+1])
	}
	l0, h0 := unpack(wordsLow, wordsHigh, pair[0], pair[1])
	l1, h1 := unpack(wordsLow, wordsHigh, pair[2], pair[3])
	var out [4]VecVirtual // values 2i and 2i+1
	out[0], out[1] = unpack(doublesLow, doublesHigh, l0, l1)
	out[2], out[3] = unpack(doublesLow, doublesHigh, h0, h1)
	for i, o := range out {
		VMOVQ(o, Mem{Base: dst, Disp: 64 * i})
		VPEXTRQ(U8(1), o, Mem{Base: dst, Disp: 64*i + 32})
	}
	ADDQ(U8(64), src)
	ADDQ(U8(8), dst)
	ADDQ(U8(64), off)
	TESTQ(U32(groupSize-1), off)
	JNZ(LabelRef("same"))
	ADDQ(U32(groupSize-32), dst)
	Label("same")
	CMPQ(off, n)
	JL(LabelRef("word"))
	RET()
}

const groupWords = 4

// groups does as many whole groups as there are.
func (b *batch) groups(rowBytes Mem, score func()) {
	const step = groupWords * lineBytes
	Label("group")
	MOVQ(b.params["dim"], b.tmp)
	SUBQ(b.off, b.tmp)
	CMPQ(b.tmp, U32(step))
	JL(LabelRef("rest"))
	MOVQ(rowBytes, b.tmp)
	SUBQ(b.off, b.tmp)
	for disp := 0; disp < step; disp += lineBytes {
		CMPQ(b.tmp, U32(disp))
		JLE(LabelRef("score"))
		b.prefetchLine(disp)
	}
	Label("score")
	score()
	for _, row := range b.rows {
		ADDQ(U8(8*groupWords), row)
	}
	ADDQ(U32(step), b.off)
	JMP(LabelRef("group"))
	Label("rest")
}

// firstPlaneRows scores the first plane alone: the query's four planes lie line by line, four lines for one of the rows.
func firstPlaneRows(s avx512) {
	name := "firstPlaneRows" + s.suffix()
	TEXT(name, NOSPLIT, "func(q []byte, base []byte, stride, plane int, ids []uint32, bias int32, mul, add, deviations float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores the first planes of four rows at a time, one accumulator each, exactly. len(q) is a multiple of 256. At least four ids. Needs %s.", name, s.needs()))
	Pragma("noescape")
	b := newPlaneBatch()
	whole := GP64()
	MOVQ(b.params["dim"], whole)
	SHRQ(U8(2), whole)
	b.prefetchFirst(whole)
	acc := newAccumulators(s)
	consts := s.firstConstants()

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		Label("line")
		b.prefetchLine(0)
		var q [queryPlanes]Mem
		var rows [rowBlock]Mem
		for p := range q {
			q[p] = Mem{Base: b.q, Index: b.off, Scale: queryPlanes, Disp: p * lineBytes}
		}
		for j := range rows {
			rows[j] = b.at(b.rows[j], 0)
		}
		s.firstLine(consts, q, rows, acc)
		ADDQ(U8(lineBytes), b.off)
		CMPQ(b.off, whole)
		JL(LabelRef("line"))
		sums := s.sum4Int(acc)
		VPADDD(sums.AsX(), sums.AsX(), sums.AsX())
		MOVQ(param(Param("plane")), b.tmp)
		b.finishPlanes(sums.AsX(), 2)
		b.store(sums)
	})
}

// groupedFirstRows scores the first plane alone, with a query in groups: 32 bytes of the plane at a time. A value whose bit is
// set counts with the other sign, so that the sums are those of all values less twice those whose bits are set; what is
// left of bias with the sum of all values taken off makes distances of them. A bit is where its byte's sign is after a
// shift, and a byte is kept from being zero, which would be no sign at all.
func groupedFirstRows(s avx2) {
	name := "firstPlaneRows" + s.suffix()
	TEXT(name, NOSPLIT, "func(q []int8, base []byte, stride, plane int, ids []uint32, bias int32, mul, add, deviations float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores the first planes of four rows at a time, one accumulator each, exactly. len(q) is a multiple of %d; bias is less by the sum of q. At least four ids. Needs %s.", name, groupSize, s.needs()))
	Pragma("noescape")
	b := newPlaneBatch()
	whole := GP64()
	MOVQ(param(Param("plane")), whole)
	ADDQ(U8(factorBytes), whole)
	b.prefetchFirst(whole)
	acc := newAccumulators(s)
	ones := loadConstants(s, byteOnes)[0]

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		for _, row := range b.coming { // factors may have a line of their own
			PREFETCHT0(Mem{Base: row, Index: whole, Scale: 1, Disp: -1})
		}
		Label("group")
		b.prefetchLine(0)
		var row, turned, sum [rowBlock]VecVirtual
		for j := range row {
			row[j], turned[j], sum[j] = YMM(), YMM(), nil
			VPOR(b.at(b.rows[j], 0), ones, turned[j])
		}
		for k := 7; k >= 0; k-- {
			q, t := YMM(), YMM()
			VMOVDQU(Mem{Base: b.q, Index: b.off, Scale: 8, Disp: 32 * k}, q)
			for j := range row {
				switch k {
				case 7:
					sum[j] = YMM()
					VPSIGNB(turned[j], q, sum[j])
					continue
				case 0:
					VMOVDQU(b.at(b.rows[j], 0), turned[j])
					VPSLLW(U8(7), turned[j], turned[j])
					VPOR(ones, turned[j], turned[j])
				default:
					VPADDB(turned[j], turned[j], turned[j])
				}
				VPSIGNB(turned[j], q, t)
				VPADDB(t, sum[j], sum[j])
			}
		}
		for j := range row {
			VPMADDUBSW(sum[j], ones, sum[j]) // unsigned ones, signed sums
			VPMADDWD(wordOnes, sum[j], sum[j])
			VPSUBD(sum[j], acc[j], acc[j])
		}
		ADDQ(U8(32), b.off)
		CMPQ(b.off, param(Param("plane")))
		JL(LabelRef("group"))
		sums := s.sum4Int(acc)
		MOVQ(param(Param("plane")), b.tmp)
		b.finishPlanes(sums.AsX(), 2)
		b.store(sums)
	})
}

// groupFirst makes the groups of the query of first planes of its four planes, and returns the sum of its values.
func groupFirst(s avx2) {
	TEXT("groupFirst"+s.suffix(), NOSPLIT, "func(dst []int8, planes []byte) int32")
	Doc("groupFirst" + s.suffix() + " makes a group of 32 bytes of each plane at a time; dst has groups for half of the lines at least. Needs AVX2.")
	Pragma("noescape")
	dst, n := Load(Param("dst").Base(), GP64()), Load(Param("dst").Len(), GP64())
	planes := Load(Param("planes").Base(), GP64())
	consts := s.groupConstants(4)
	eights, total, zero := loadConstants(s, byteEights)[0], YMM(), YMM()
	s.zero(total)
	s.zero(zero)
	off := GP64()
	XORQ(off, off)
	Label("group")
	var p []VecVirtual
	for i := range queryPlanes {
		v := YMM()
		VMOVDQU(Mem{Base: planes, Disp: i * lineBytes}, v)
		p = append(p, v)
	}
	s.codes(consts, p, func(codes VecVirtual, k int) {
		t := YMM()
		VPXOR(eights, codes, codes) // eight more than the value
		VPSADBW(zero, codes, t)
		VPADDD(t, total, total)
		VPSUBB(eights, codes, codes)
		VMOVDQU(codes, Mem{Base: dst, Index: off, Scale: 1, Disp: 32 * k})
	})
	// The second half of a line, then the next line of all planes.
	ADDQ(U8(32), planes)
	ADDQ(U32(groupSize), off)
	TESTQ(U32(groupSize), off)
	JNZ(LabelRef("same"))
	ADDQ(U32((queryPlanes-1)*lineBytes), planes)
	Label("same")
	CMPQ(off, n)
	JL(LabelRef("group"))
	high, sum := XMM(), GP32()
	VEXTRACTI128(U8(1), total, high)
	VPADDD(high, total.AsX(), total.AsX())
	VPSHUFD(U8(0x4e), total.AsX(), high)
	VPADDD(high, total.AsX(), total.AsX())
	VMOVD(total.AsX(), sum)
	SHLQ(U8(3), n)
	SUBL(n.(GPVirtual).As32(), sum)
	Store(sum, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// finishPlanes turns four doubled integer sums into distances by the factors at b.tmp bytes into the rows, see
// PlaneDistances; scale is the index of the scale factor: 0, or 2 for the first plane, where deviations are subtracted.
func (b *batch) finishPlanes(sums Register, scale int) {
	t := XMM()
	VBROADCASTSS(param(Param("bias")), t)
	VPSUBD(t, sums, sums)
	VCVTDQ2PS(sums, sums)
	var low, high [2]VecVirtual // of two rows each: scale, scale, add, add; first, first, deviations, deviations
	for h := range low {
		even, odd := XMM(), XMM()
		low[h], high[h] = XMM(), XMM()
		VMOVUPS(Mem{Base: b.rows[2*h], Index: b.tmp, Scale: 1}, even)
		VMOVUPS(Mem{Base: b.rows[2*h+1], Index: b.tmp, Scale: 1}, odd)
		VUNPCKLPS(odd, even, low[h])
		VUNPCKHPS(odd, even, high[h])
	}
	scales, adds := XMM(), XMM()
	VUNPCKHPD(low[1], low[0], adds)
	if scale == 0 {
		VUNPCKLPD(low[1], low[0], scales)
	} else {
		VUNPCKLPD(high[1], high[0], scales)
	}
	VBROADCASTSS(param(Param("mul")), t)
	VMULPS(t, scales, scales)
	VMULPS(scales, sums, sums)
	VBROADCASTSS(param(Param("add")), t)
	VADDPS(t, adds, adds)
	VADDPS(adds, sums, sums)
	if scale != 0 {
		deviations := scales
		VUNPCKHPD(high[1], high[0], deviations)
		VPSRLD(U8(16), deviations, deviations) // the upper half is a bfloat16
		VPSLLD(U8(16), deviations, deviations)
		VBROADCASTSS(param(Param("deviations")), t)
		VMULPS(t, deviations, deviations)
		VSUBPS(deviations, sums, sums)
	}
	VBROADCASTSS(mostDistance, t)
	VMINPS(t, sums, sums) // the second source, t, wins over NaN
}

//go:build amd64 && !purego

package distance

import "golang.org/x/sys/cpu"

//go:generate go run -C ../../tools ../mmapvec/distance/gen/main.go ../mmapvec/distance/gen/codel1.go ../mmapvec/distance/gen/isa.go ../mmapvec/distance/gen/nibbles.go ../mmapvec/distance/gen/pair.go ../mmapvec/distance/gen/planeisa.go ../mmapvec/distance/gen/planes.go ../mmapvec/distance/gen/rows.go ../mmapvec/distance/gen/typed.go ../mmapvec/distance/gen/typedisa.go -pkg distance -out ../mmapvec/distance/kernels_amd64.s -stubs ../mmapvec/distance/stubs_amd64.go

func widestLevel() level {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasF16C:
		return levelGeneric
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512VBMI && x.HasAVX512VNNI &&
		x.HasAVX512VPOPCNTDQ && x.HasAVX512GFNI:
		return levelAVX512
	}
	return levelAVX2
}

func dot(a, b []float32) float32 {
	switch active {
	case levelAVX512:
		return dotAVX512(a, b)
	case levelAVX2:
		return dotAVX2(a, b)
	}
	return dotGeneric(a, b)
}

func l2(a, b []float32) float32 {
	switch active {
	case levelAVX512:
		return l2AVX512(a, b)
	case levelAVX2:
		return l2AVX2(a, b)
	}
	return l2Generic(a, b)
}

func l1(a, b []float32) float32 {
	switch active {
	case levelAVX512:
		return l1AVX512(a, b)
	case levelAVX2:
		return l1AVX2(a, b)
	}
	return l1Generic(a, b)
}

// blockRows is the number of ids below which the assembly does not work: it scores four rows at a time.
const blockRows = 4

// ahead returns how many rows before its turn a row is prefetched: enough to cover the latency of memory, not so many
// that the first requests block everything behind them.
func ahead(rowBytes int) int {
	const linesInFlight = 32
	lines := max((rowBytes+63)/64, 1)
	return max(linesInFlight/lines&^(blockRows-1), blockRows)
}

// fewIDs repeats the last of at most three ids.
func fewIDs(ids []uint32) (block [blockRows]uint32) {
	for i := range block {
		block[i] = ids[min(i, len(ids)-1)]
	}
	return block
}

func floatRows(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	if active == levelGeneric || len(q) == 0 {
		floatRowsGeneric(m, q, base, stride, ids, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		floatRows(m, q, base, stride, block[:], results[:])
		copy(out, results[:len(ids)])
		return
	}
	n := ahead(len(q) * 4)
	switch wide := active == levelAVX512; {
	case m == Dot && wide:
		dotRowsAVX512(q, base, stride, ids, out, n)
	case m == Dot:
		dotRowsAVX2(q, base, stride, ids, out, n)
	case m == L2 && wide:
		l2RowsAVX512(q, base, stride, ids, out, n)
	case m == L2:
		l2RowsAVX2(q, base, stride, ids, out, n)
	case wide:
		l1RowsAVX512(q, base, stride, ids, out, n)
	default:
		l1RowsAVX2(q, base, stride, ids, out, n)
	}
}

func dotU8S8Rows(q []int8, base []byte, stride int, ids []uint32, out []int32) {
	if active == levelGeneric || len(q) == 0 {
		dotU8S8RowsGeneric(q, base, stride, ids, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]int32
		block := fewIDs(ids)
		dotU8S8Rows(q, base, stride, block[:], results[:])
		copy(out, results[:len(ids)])
		return
	}
	if active == levelAVX512 {
		dotU8S8RowsAVX512(q, base, stride, ids, out, ahead(len(q)))
		return
	}
	dotU8S8RowsAVX2(q, base, stride, ids, out, ahead(len(q)))
}

func codeRows(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	if active == levelGeneric || len(q) == 0 {
		codeRowsGeneric(q, base, stride, ids, f, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		codeRows(q, base, stride, block[:], f, results[:])
		copy(out, results[:len(ids)])
		return
	}
	if active == levelAVX512 {
		codeRowsAVX512(q, base, stride, ids, f.Bias, f.Mul, f.Add, f.NormWeight, out, ahead(len(q)))
		return
	}
	codeRowsAVX2(q, base, stride, ids, f.Bias, f.Mul, f.Add, f.NormWeight, out, ahead(len(q)))
}

func nibbleRows(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	if active == levelGeneric || len(q) == 0 {
		nibbleRowsGeneric(q, base, stride, ids, f, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		nibbleRows(q, base, stride, block[:], f, results[:])
		copy(out, results[:len(ids)])
		return
	}
	if active == levelAVX512 {
		nibbleRowsAVX512(q, base, stride, ids, f.Bias, f.Mul, f.Add, f.NormWeight, out, ahead(len(q)/2))
		return
	}
	nibbleRowsAVX2(q, base, stride, ids, f.Bias, f.Mul, f.Add, f.NormWeight, out, ahead(len(q)/2))
}

func codeRowsL1(q []float32, dim int, base []byte, stride int, ids []uint32, out []float32) {
	if active == levelGeneric || dim == 0 {
		codeRowsL1Generic(q, dim, base, stride, ids, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		codeRowsL1(q, dim, base, stride, block[:], results[:])
		copy(out, results[:len(ids)])
		return
	}
	if active == levelAVX512 {
		codeRowsL1AVX512(q[:dim], base, stride, ids, out, ahead(dim))
		return
	}
	codeRowsL1AVX2(q[:dim], base, stride, ids, out, ahead(dim))
}

func planeRows(bits int, q *PlaneQuery, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	if active == levelGeneric || len(q.values) == 0 {
		planeRowsGeneric(bits, q.values, base, stride, ids, f, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		planeRows(bits, q, base, stride, block[:], f, results[:])
		copy(out, results[:len(ids)])
		return
	}
	planeBytes := len(q.values) / 8
	rowBytes := PlaneRowBytes(bits, planeBytes)
	n := ahead(rowBytes)
	switch wide := active == levelAVX512; {
	case bits == 4 && wide:
		plane4RowsAVX512(q.values, base, stride, rowBytes, ids, f.Bias, f.Mul, f.Add, out, n)
	case bits == 4:
		plane4RowsAVX2(q.grouped, base, stride, planeBytes, ids, f.Bias, f.Mul, f.Add, out, n)
	case bits == 2 && wide:
		plane2RowsAVX512(q.values, base, stride, rowBytes, ids, f.Bias, f.Mul, f.Add, out, n)
	case bits == 2:
		plane2RowsAVX2(q.grouped, base, stride, planeBytes, ids, f.Bias, f.Mul, f.Add, out, n)
	case wide:
		plane1RowsAVX512(q.values, base, stride, rowBytes, ids, f.Bias, f.Mul, f.Add, out, n)
	default:
		plane1RowsAVX2(q.grouped, base, stride, planeBytes, ids, f.Bias, f.Mul, f.Add, out, n)
	}
}

// groupValues writes to dst the values of src, a multiple of 64, in groups.
func groupValues(dst, src []int8) {
	if len(src) > 0 {
		groupValuesAVX2(dst, src)
	}
}

func firstPlaneRows(q *FirstQuery, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	if active == levelGeneric || q.planeBytes == 0 {
		firstPlaneRowsGeneric(q.planes, q.planeBytes, base, stride, ids, f, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		firstPlaneRows(q, base, stride, block[:], f, results[:])
		copy(out, results[:len(ids)])
		return
	}
	n := ahead(FirstPlaneBytes(q.planeBytes))
	if active == levelAVX512 {
		firstPlaneRowsAVX512(q.planes, base, stride, q.planeBytes, ids, f.Bias, f.Mul, f.Add, f.Deviations, out, n)
		return
	}
	firstPlaneRowsAVX2(q.grouped, base, stride, q.planeBytes, ids, f.Bias-q.sum, f.Mul, f.Add, f.Deviations, out, n)
}

// groupFirst writes to dst the values of four planes in groups and returns their sum.
func groupFirst(dst []int8, planes []byte) int32 {
	if len(dst) == 0 {
		return 0
	}
	return groupFirstAVX2(dst, planes)
}

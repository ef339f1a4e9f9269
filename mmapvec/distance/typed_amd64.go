//go:build amd64 && !purego

package distance

// The AVX2 kernels on float16 and uint8 rows read the end of a row in a vector that overlaps the one before, so rows
// must be no shorter than that.
const (
	leastHalves = 8
	leastBytes  = 32
)

func half(m Metric, q []float32, row []uint16) float32 {
	wide := active == levelAVX512
	if active == levelGeneric || !wide && len(q) < leastHalves {
		return halfGeneric(m, q, row)
	}
	switch {
	case m == Dot && wide:
		return dotF16AVX512(q, row)
	case m == Dot:
		return dotF16AVX2(q, row)
	case m == L2 && wide:
		return l2F16AVX512(q, row)
	case m == L2:
		return l2F16AVX2(q, row)
	case wide:
		return l1F16AVX512(q, row)
	}
	return l1F16AVX2(q, row)
}

func halfRows(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	wide := active == levelAVX512
	if active == levelGeneric || len(q) == 0 || !wide && len(q) < leastHalves {
		halfRowsGeneric(m, q, base, stride, ids, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]float32
		block := fewIDs(ids)
		halfRows(m, q, base, stride, block[:], results[:])
		copy(out, results[:len(ids)])
		return
	}
	n := ahead(2 * len(q))
	switch {
	case m == Dot && wide:
		dotF16RowsAVX512(q, base, stride, ids, out, n)
	case m == Dot:
		dotF16RowsAVX2(q, base, stride, ids, out, n)
	case m == L2 && wide:
		l2F16RowsAVX512(q, base, stride, ids, out, n)
	case m == L2:
		l2F16RowsAVX2(q, base, stride, ids, out, n)
	case wide:
		l1F16RowsAVX512(q, base, stride, ids, out, n)
	default:
		l1F16RowsAVX2(q, base, stride, ids, out, n)
	}
}

func bytePair(m Metric, q, row []uint8) uint32 {
	wide := active == levelAVX512
	if active == levelGeneric || !wide && len(q) < leastBytes {
		return bytePairGeneric(m, q, row)
	}
	switch {
	case m == Dot && wide:
		return dotU8AVX512(q, row)
	case m == Dot:
		return dotU8AVX2(q, row)
	case m == L2 && wide:
		return l2U8AVX512(q, row)
	case m == L2:
		return l2U8AVX2(q, row)
	case wide:
		return l1U8AVX512(q, row)
	}
	return l1U8AVX2(q, row)
}

func byteRows(m Metric, q []uint8, base []byte, stride int, ids []uint32, out []uint32) {
	wide := active == levelAVX512
	if active == levelGeneric || len(q) == 0 || !wide && len(q) < leastBytes {
		byteRowsGeneric(m, q, base, stride, ids, out)
		return
	}
	if len(ids) < blockRows {
		var results [blockRows]uint32
		block := fewIDs(ids)
		byteRows(m, q, base, stride, block[:], results[:])
		copy(out, results[:len(ids)])
		return
	}
	n := ahead(len(q))
	switch {
	case m == Dot && wide:
		dotU8RowsAVX512(q, base, stride, ids, out, n)
	case m == Dot:
		dotU8RowsAVX2(q, base, stride, ids, out, n)
	case m == L2 && wide:
		l2U8RowsAVX512(q, base, stride, ids, out, n)
	case m == L2:
		l2U8RowsAVX2(q, base, stride, ids, out, n)
	case wide:
		l1U8RowsAVX512(q, base, stride, ids, out, n)
	default:
		l1U8RowsAVX2(q, base, stride, ids, out, n)
	}
}

// The conversions do as many elements as are whole vectors and return their number.

func toHalves(dst []uint16, src []float32) (done int) {
	if done = len(src) &^ 7; active == levelGeneric || done == 0 {
		return 0
	}
	toF16AVX2(dst[:done], src[:done])
	return done
}

func fromHalves(dst []float32, src []uint16) (done int) {
	if done = len(src) &^ 7; active == levelGeneric || done == 0 {
		return 0
	}
	fromF16AVX2(dst[:done], src[:done])
	return done
}

func fromBytes(dst []float32, src []uint8) (done int) {
	if done = len(src) &^ 7; active == levelGeneric || done == 0 {
		return 0
	}
	fromU8AVX2(dst[:done], src[:done])
	return done
}

//go:build !amd64 || purego

package distance

func widestLevel() level { return levelGeneric }

func dot(a, b []float32) float32 { return dotGeneric(a, b) }
func l2(a, b []float32) float32  { return l2Generic(a, b) }
func l1(a, b []float32) float32  { return l1Generic(a, b) }

func floatRows(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	floatRowsGeneric(m, q, base, stride, ids, out)
}

func dotU8S8Rows(q []int8, base []byte, stride int, ids []uint32, out []int32) {
	dotU8S8RowsGeneric(q, base, stride, ids, out)
}

func codeRows(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	codeRowsGeneric(q, base, stride, ids, f, out)
}

func nibbleRows(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	nibbleRowsGeneric(q, base, stride, ids, f, out)
}

func codeRowsL1(q []float32, dim int, base []byte, stride int, ids []uint32, out []float32) {
	codeRowsL1Generic(q, dim, base, stride, ids, out)
}

func planeRows(bits int, q *PlaneQuery, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	planeRowsGeneric(bits, q.values, base, stride, ids, f, out)
}

func firstPlaneRows(q *FirstQuery, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	firstPlaneRowsGeneric(q.planes, q.planeBytes, base, stride, ids, f, out)
}

func half(m Metric, q []float32, row []uint16) float32 { return halfGeneric(m, q, row) }

func halfRows(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	halfRowsGeneric(m, q, base, stride, ids, out)
}

func bytePair(m Metric, q, row []uint8) uint32 { return bytePairGeneric(m, q, row) }

func byteRows(m Metric, q []uint8, base []byte, stride int, ids []uint32, out []uint32) {
	byteRowsGeneric(m, q, base, stride, ids, out)
}

func toHalves(dst []uint16, src []float32) (done int)   { return 0 }
func fromHalves(dst []float32, src []uint16) (done int) { return 0 }
func fromBytes(dst []float32, src []uint8) (done int)   { return 0 }

// No kernel takes groups.
func groupValues(_, _ []int8)                 {}
func groupFirst(_ []int8, _ []byte) (_ int32) { return 0 }

//go:build !amd64 || purego

package quant

func scale(x, by []float32)                                       { scaleGeneric(x, by) }
func hadamard(x []float32)                                        { hadamardGeneric(x) }
func butterfly(a, b []float32)                                    { butterflyGeneric(a, b) }
func maxAbs(x []float32) float32                                  { return maxAbsGeneric(x) }
func round(dst []byte, x []float32, inv float32) (xv, xx float32) { return roundGeneric(dst, x, inv) }
func signed(dst []int8, src []byte, n int) int                    { return signedGeneric(dst, src, n) }

func subtract(x, by []float32) float32       { return subtractGeneric(x, by) }
func sums(x []float32) (abs, square float32) { return sumsGeneric(x) }
func packPlane(dst, u []byte, bit int)       { packPlaneGeneric(dst, u, bit) }

func quantise(dst []byte, x []float32, inv float32, g grid) (xv, vv float32) {
	return quantiseGeneric(dst, x, inv, g)
}

func unpack(dst []int8, code []byte, plane, rest, bits int) (sum int) {
	return unpackGeneric(dst, code, plane, rest, bits)
}

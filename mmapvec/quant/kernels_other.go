//go:build !amd64 || purego

package quant

func scale(x, by []float32)                                       { scaleGeneric(x, by) }
func hadamard(x []float32)                                        { hadamardGeneric(x) }
func butterfly(a, b []float32)                                    { butterflyGeneric(a, b) }
func maxAbs(x []float32) float32                                  { return maxAbsGeneric(x) }
func round(dst []byte, x []float32, inv float32) (xv, xx float32) { return roundGeneric(dst, x, inv) }
func signed(dst []int8, src []byte, n int) int                    { return signedGeneric(dst, src, n) }

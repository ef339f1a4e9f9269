//go:build amd64 && !purego

package quant

import "github.com/isobath/isobath/mmapvec/distance"

//go:generate go run -C ../../tools ../mmapvec/quant/gen/main.go ../mmapvec/quant/gen/hadamard.go ../mmapvec/quant/gen/planes.go -pkg quant -out ../mmapvec/quant/kernels_amd64.s -stubs ../mmapvec/quant/stubs_amd64.go

// wide tells whether the AVX2 kernels are to be used: it follows the level of package distance, which tests may force.
func wide() bool { return distance.Level() != "generic" }

func scale(x, by []float32) {
	if wide() {
		scaleAVX2(x, by)
		return
	}
	scaleGeneric(x, by)
}

func hadamard(x []float32) {
	if wide() {
		hadamardAVX2(x)
		return
	}
	hadamardGeneric(x)
}

func butterfly(a, b []float32) {
	if wide() {
		butterflyAVX2(a, b)
		return
	}
	butterflyGeneric(a, b)
}

func maxAbs(x []float32) float32 {
	if wide() {
		return maxAbsAVX2(x)
	}
	return maxAbsGeneric(x)
}

func round(dst []byte, x []float32, inv float32) (xv, xx float32) {
	if wide() {
		return roundAVX2(dst, x, inv)
	}
	return roundGeneric(dst, x, inv)
}

func signed(dst []int8, src []byte, n int) int {
	if wide() {
		return signedAVX2(dst, src, n)
	}
	return signedGeneric(dst, src, n)
}

func subtract(x, by []float32) float32 {
	if wide() {
		return subtractAVX2(x, by)
	}
	return subtractGeneric(x, by)
}

func sums(x []float32) (abs, square float32) {
	if wide() {
		return sumsAVX2(x)
	}
	return sumsGeneric(x)
}

func quantise(dst []byte, x []float32, inv float32, g grid) (xv, vv float32) {
	if wide() {
		return quantiseAVX2(dst, x, inv, g.shift, g.low, g.high, g.zero)
	}
	return quantiseGeneric(dst, x, inv, g)
}

func packPlane(dst, u []byte, bit int) {
	if wide() {
		packPlaneAVX2(dst, u, bit)
		return
	}
	packPlaneGeneric(dst, u, bit)
}

func unpack(dst []int8, code []byte, plane, rest, bits int) (sum int) {
	if wide() {
		return int(unpackAVX2(dst, code, plane, rest, bits))
	}
	return unpackGeneric(dst, code, plane, rest, bits)
}

package distance

import (
	"fmt"
	"os"
	"strings"
)

// kernels is one implementation of everything. Its functions check nothing: the exported ones did.
type kernels struct {
	level                   string
	dot, l2, l1             func(a, b []float32) float32
	dotRows, l2Rows, l1Rows func(q []float32, base []byte, stride int, ids []uint32, out []float32)
	dotU8S8Rows             func(q []int8, base []byte, stride int, ids []uint32, out []int32)
	codeRows                func(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32)
}

// levels are the ones that this CPU has, widest first; generic is always the last.
var levels = append(machineLevels(), &generic)

var active = chooseLevel(os.Getenv("ISOBATH_SIMD"))

// chooseLevel returns the named level, or the widest one if the name is empty or not available here.
func chooseLevel(name string) *kernels {
	for _, k := range levels {
		if k.level == name {
			return k
		}
	}
	return levels[0]
}

// Level returns the name of the kernels in use: "avx512", "avx2" or "generic".
func Level() string { return active.level }

// Levels returns the names that [Force] accepts on this CPU, widest first.
func Levels() []string {
	names := make([]string, len(levels))
	for i, k := range levels {
		names[i] = k.level
	}
	return names
}

// Force switches to the named kernels until restore is called. For tests and benchmarks only: nothing may compute
// distances meanwhile on other goroutines.
func Force(level string) (restore func(), err error) {
	for _, k := range levels {
		if k.level == level {
			old := active
			active = k
			return func() { active = old }, nil
		}
	}
	return nil, fmt.Errorf("distance: no level %q here, only %s", level, strings.Join(Levels(), ", "))
}

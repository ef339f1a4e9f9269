package distance

import (
	"fmt"
	"os"
	"strings"
)

// A level is a set of kernels. Calls go through a switch rather than through function variables, so that the compiler
// sees that nothing escapes.
type level uint8

const (
	levelGeneric level = iota
	levelAVX2          // AVX2, FMA and F16C
	levelAVX512        // AVX2's, and AVX-512 F, BW, VL, VBMI, VNNI and VPOPCNTDQ, and GFNI
)

var levelNames = [...]string{levelGeneric: "generic", levelAVX2: "avx2", levelAVX512: "avx512"}

var active = chooseLevel(os.Getenv("ISOBATH_SIMD"))

// chooseLevel returns the named level, or the widest one if the name is empty or not available here.
func chooseLevel(name string) level {
	if l, ok := findLevel(name); ok {
		return l
	}
	return widestLevel()
}

func findLevel(name string) (level, bool) {
	for l := levelGeneric; l <= widestLevel(); l++ {
		if levelNames[l] == name {
			return l, true
		}
	}
	return 0, false
}

// Level returns the name of the kernels in use: "avx512", "avx2" or "generic".
func Level() string { return levelNames[active] }

// Levels returns the names that [Force] accepts on this CPU, widest first.
func Levels() []string {
	var names []string
	for l := int(widestLevel()); l >= 0; l-- {
		names = append(names, levelNames[l])
	}
	return names
}

// Force switches to the named kernels until restore is called. For tests and benchmarks only: nothing may compute
// distances meanwhile on other goroutines.
func Force(name string) (restore func(), err error) {
	l, ok := findLevel(name)
	if !ok {
		return nil, fmt.Errorf("distance: no level %q here, only %s", name, strings.Join(Levels(), ", "))
	}
	old := active
	active = l
	return func() { active = old }, nil
}

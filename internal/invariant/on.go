//go:build invariants || race

package invariant

import "fmt"

// Enabled tells whether assertions are compiled in.
const Enabled = true

// Assertf panics with the formatted text when cond is false.
func Assertf(cond bool, format string, args ...any) {
	if !cond {
		panic("invariant: " + fmt.Sprintf(format, args...))
	}
}

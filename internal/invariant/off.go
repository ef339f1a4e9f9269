//go:build !invariants && !race

package invariant

// Enabled tells whether assertions are compiled in.
const Enabled = false

// Assertf panics with the formatted text when cond is false and assertions are compiled in.
func Assertf(cond bool, format string, args ...any) {}

//go:build !race

package mmapvec

const raceEnabled = false

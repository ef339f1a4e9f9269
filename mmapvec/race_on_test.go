//go:build race

package mmapvec

const raceEnabled = true

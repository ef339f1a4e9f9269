package server

import (
	"os"
	"runtime"
	"sync"
)

// processors returns what the machine or the control group gives this process. It is asked once,
// before addProcessors changes the answer.
var processors = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// workers returns the number of goroutines that build graphs.
func (c Config) workers() int {
	if c.Workers != 0 {
		return c.Workers
	}
	return max(1, processors()-1)
}

// addProcessors gives the scheduler one processor more for each background worker. A goroutine
// that faults on a mapped page keeps its processor until the disk has answered, and assembly
// kernels cannot be preempted: with no more processors than cores, workers that wait for cold
// rows would take those of the requests. Searches stay limited to the cores by the engine. A
// GOMAXPROCS set by the user stands.
func addProcessors(workers int) {
	cores := processors()
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(cores + max(0, workers))
	}
}

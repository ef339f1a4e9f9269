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

// processorsPerCore is how many of the scheduler's processors a core has to serve.
const processorsPerCore = 4

// addProcessors gives the scheduler more processors than there are cores, so that the kernel chooses who runs. The scheduler
// of Go lets a goroutine run for 10 ms while others wait, and looks at the network as seldom while none of its processors is
// idle: beside builders of graphs and compactions each step of a request waited for tens of milliseconds. A thread that has
// slept, as one that serves a request has, gets a core from the kernel at once. A goroutine that faults on a mapped page keeps
// its processor until the disk has answered, too. Searches stay limited to the cores by the engine (ADR 0017). A
// GOMAXPROCS set by the user stands.
func addProcessors(workers int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(wanted(processors(), runtime.NumCPU(), workers))
	}
}

// wanted returns how many processors the scheduler gets where the process is given so many cores of those it sees. Threads that run on
// more of them than it is given would use up its time and all stop until the next period of the control group: then there is
// one more for each worker only.
func wanted(given, seen, workers int) int {
	if given < seen {
		return given + max(0, workers)
	}
	return max(processorsPerCore*given, given+workers)
}

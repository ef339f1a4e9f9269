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

// processorsPerCore is how many of the scheduler's processors a core has to serve while background workers are busy.
const processorsPerCore = 4

// scheduler sets the number of the scheduler's processors for the servers of the process.
type scheduler struct {
	mu   sync.Mutex
	busy int // servers whose workers are busy
}

var schedule scheduler

// addProcessors gives the scheduler one processor more for each background worker. A goroutine
// that faults on a mapped page keeps its processor until the disk has answered, and assembly
// kernels cannot be preempted: with no more processors than cores, workers that wait for cold
// rows would take those of the requests. Searches stay limited to the cores by the engine. A
// GOMAXPROCS set by the user stands.
//
// While workers are busy there are more, so that the kernel chooses who runs. The scheduler of Go lets a goroutine run for
// 10 ms while others wait, and looks at the network as seldom while none of its processors is idle: beside builders of graphs
// and compactions each step of a request waited for tens of milliseconds. A thread that has slept, as one that serves a
// request has, gets a core from the kernel at once. Without such work many threads cost throughput (ADR 0017).
func addProcessors(workers int) {
	schedule.mu.Lock()
	defer schedule.mu.Unlock()
	schedule.setLocked(workers)
}

// report is told when the workers of a server begin or end to be busy.
func (s *scheduler) report(workers int, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if busy {
		s.busy++
	} else {
		s.busy--
	}
	s.setLocked(workers)
}

func (s *scheduler) setLocked(workers int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(wanted(processors(), runtime.NumCPU(), workers, s.busy > 0))
	}
}

// wanted returns how many processors the scheduler gets where the process is given so many cores of those it sees. Threads that run on
// more of them than it is given would use up its time and all stop until the next period of the control group.
func wanted(given, seen, workers int, busy bool) int {
	n := given + max(0, workers)
	if busy && given == seen {
		n = max(n, processorsPerCore*given)
	}
	return n
}

// Package nice lets work that nobody waits for run at a lower priority than the requests of the same process. Elsewhere than on
// Linux, where threads have no priority of their own, it changes nothing.
package nice

import "sync"

// Steps is by how much Go raises the nice value of a thread: beside another that wants the same processor it gets a
// quarter of it. Threads much lower run so seldom that the garbage collector, which waits for all of them, would hold up everybody.
const Steps = 5

// Go calls fn in a goroutine of wg, on a thread of lower priority that ends with it. Where the system refuses, which Check tells,
// fn runs at the priority of the process.
func Go(wg *sync.WaitGroup, fn func()) {
	wg.Go(func() {
		_ = lower()
		fn()
	})
}

// Check returns why the priority of a thread cannot be lowered, nil if it can.
func Check() error {
	result := make(chan error)
	go func() { result <- lower() }()
	return <-result
}

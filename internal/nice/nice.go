// Package nice lets work that nobody waits for run at a lower priority than the requests of the same process. Elsewhere than on
// Linux, where threads have no priority of their own, it does nothing.
package nice

import "runtime"

// Steps is by how much Lower raises the nice value of a thread: beside another that wants the same processor it gets a
// quarter of it. Threads much lower run so seldom that the garbage collector, which waits for all of them, would hold up everybody.
const Steps = 5

// Lower binds the calling goroutine to its thread and lowers the thread's priority. The thread ends with the goroutine, which
// must not unlock it. Where the system refuses, the priority stays and the error says why.
func Lower() error {
	runtime.LockOSThread()
	return lower()
}

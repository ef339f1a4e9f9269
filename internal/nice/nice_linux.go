package nice

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// lowest is the highest nice value there is.
const lowest = 19

// lower binds the calling goroutine to its thread for good, so that the thread ends with it, and lowers the thread's priority.
func lower() error {
	runtime.LockOSThread()
	now, err := Value()
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), min(now+Steps, lowest))
	}
	if err != nil {
		return fmt.Errorf("nice: priority of a thread: %w", err)
	}
	return nil
}

// Value returns the nice value of the calling thread, -20 to 19. Linux takes the number of a thread where POSIX has a process.
func Value() (int, error) {
	p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	return 20 - p, err // the system call returns 40 to 1
}

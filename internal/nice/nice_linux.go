package nice

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// lower changes one thread: Linux takes the number of a thread where POSIX has a process.
func lower() error {
	thread := unix.Gettid()
	p, err := unix.Getpriority(unix.PRIO_PROCESS, thread) // 20 less the nice value
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, thread, min(20-p+Steps, lowest))
	}
	if err != nil {
		return fmt.Errorf("nice: priority of a thread: %w", err)
	}
	return nil
}

const lowest = 19

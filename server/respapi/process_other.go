//go:build !unix

package respapi

import "time"

func cpuTimes() (user, system time.Duration) { return 0, 0 }

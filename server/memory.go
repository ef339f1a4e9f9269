package server

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// defaultMemory returns 75 % of what the control group or else the machine has; what cannot be
// found out is not limited.
func defaultMemory() int64 {
	total := min(groupMemory(), machineMemory())
	if total == math.MaxInt64 {
		return total
	}
	return total / 4 * 3
}

// groupMemory reads the limit of the control group, of either version.
func groupMemory() int64 {
	limit := int64(math.MaxInt64)
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	return limit
}

func machineMemory() int64 {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return math.MaxInt64
}

// limitHeap gives the Go heap its part of the limit; the rest is for codes, graphs and slots,
// which live outside of it. A GOMEMLIMIT set by the user stands.
func limitHeap(limit int64) {
	if os.Getenv("GOMEMLIMIT") != "" || limit == math.MaxInt64 {
		return
	}
	debug.SetMemoryLimit(limit / 4 * 3)
}

// storeBytes is the share of badger's tables and caches; 0 is the engine's default.
func storeBytes(limit int64) int64 {
	if limit >= 1<<30 {
		return 0
	}
	return max(16<<20, limit/20)
}

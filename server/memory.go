package server

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"
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

// groupMemory reads the least limit of the process's control group and those above it, of either version.
func groupMemory() int64 {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		raw = nil // not Linux
	}
	limit := int64(math.MaxInt64)
	for _, name := range groupFiles(string(raw)) {
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

// groupFiles lists the files with limits for the text of /proc/self/cgroup: lines of number, controllers and path. In a
// container the path may be one of the host, and the group's own files lie at the top.
func groupFiles(groups string) []string {
	var files []string
	for line := range strings.Lines(groups + "0::/\n0:memory:/\n") {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		if slices.Contains(strings.Split(fields[1], ","), "memory") {
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if fields[1] != "" {
			continue
		}
		for dir := path.Clean("/" + fields[2]); ; dir = path.Dir(dir) {
			files = append(files, path.Join(root, dir, file))
			if dir == "/" {
				break
			}
		}
	}
	return files
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

// heapGrowth is how much of the live heap, in percent, may be garbage. What grows with the data
// lies outside of the heap, so that it is small and collecting it is cheap: measured during a load
// of 331 479 hashes, 25 instead of 100 costs 4 % of the rate and saves 100 MB of 300.
const heapGrowth = 25

// leastHeap is what the Go heap needs in any case.
const leastHeap = 96 << 20

// limitHeap gives the Go heap its part of the limit; the rest is for codes, graphs and slots,
// which live outside of it (engine.Options.MemoryLimit). A GOGC or GOMEMLIMIT set by the user stands.
func limitHeap(limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if os.Getenv("GOMEMLIMIT") != "" || limit == math.MaxInt64 {
		return
	}
	debug.SetMemoryLimit(max(limit/4, leastHeap))
}

const (
	trimTick   = time.Second
	trimQuiet  = 3        // ticks without work
	trimBytes  = 32 << 20 // allocated since the last time: less is not worth a collection
	quietBytes = 4 << 20  // allocated within a tick that counts as quiet
)

// trimHeap gives the memory of garbage back to the system when the work that made it is over: without
// work nothing starts a collection for two minutes, and after a load garbage is half of the heap.
func trimHeap(stop <-chan struct{}) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	tick := time.NewTicker(trimTick)
	defer tick.Stop()
	last, trimmed, quiet := allocated(), allocated(), 0
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := allocated()
		if quiet++; now-last > quietBytes {
			quiet = 0
		}
		last = now
		if quiet >= trimQuiet && now-trimmed > trimBytes {
			debug.FreeOSMemory()
			trimmed, quiet = now, 0
		}
	}
}

// storeBytes is the share of badger's tables and caches; 0 is the engine's default.
func storeBytes(limit int64) int64 {
	if limit >= 1<<30 {
		return 0
	}
	return max(16<<20, limit/20)
}

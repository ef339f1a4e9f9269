package server

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"slices"
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

// storeBytes is the share of badger's tables and caches; 0 is the engine's default.
func storeBytes(limit int64) int64 {
	if limit >= 1<<30 {
		return 0
	}
	return max(16<<20, limit/20)
}

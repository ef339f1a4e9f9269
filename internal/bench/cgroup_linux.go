package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// group is a memory control group below that of this process.
type group struct {
	dir   string
	usage string // file with the bytes charged at most
}

// newGroup makes a group that may use limit bytes, page cache included.
func newGroup(limit int64) (*group, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var failed error
	for line := range strings.Lines(string(text)) { // number:controllers:path; v2 is 0::path
		number, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		var g *group
		var err error
		switch {
		case strings.Contains(","+controllers+",", ",memory,"):
			g, err = makeGroup("/sys/fs/cgroup/memory"+path, "memory.limit_in_bytes", "memory.max_usage_in_bytes", limit)
		case number == "0" && controllers == "":
			g, err = makeGroup("/sys/fs/cgroup"+path, "memory.max", "memory.peak", limit)
		default:
			continue
		}
		if err == nil {
			return g, nil
		}
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		failed = errors.New("this process is in none")
	}
	return nil, fmt.Errorf("a memory control group cannot be made (it needs root or a delegated group): %w", failed)
}

func makeGroup(parent, limitFile, usageFile string, limit int64) (*group, error) {
	dir := filepath.Join(parent, fmt.Sprintf("isobath-bench-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	// The file is the kernel's: where it is missing the controller is off, and it cannot be created.
	f, err := os.OpenFile(filepath.Join(dir, limitFile), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(strconv.FormatInt(limit, 10))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &group{dir, filepath.Join(dir, usageFile)}, nil
}

// peak returns the bytes charged at most.
func (g *group) peak() int64 {
	n, err := strconv.ParseInt(firstLine(g.usage), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// remove removes the group, which no process is in any more.
func (g *group) remove() error { return os.Remove(g.dir) }

package payload

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// adviseTables turns read-ahead off for the maps of badger's tables, with it one cold value would
// read megabytes, and gives up the pages through which a table was written: they are in the page
// cache and count as ours until somebody else needs memory. Tables in known have been told before; it
// returns all. Badger does not hand its maps out, so they are found in the process's own list of maps.
// A map that goes away or is replaced meanwhile costs at most a useless hint.
func adviseTables(dir string, known map[string]bool) map[string]bool {
	all := map[string]bool{}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return known
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return known
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if !strings.HasSuffix(line, tableSuffix) || !strings.Contains(line, abs+"/") {
			continue
		}
		name := filepath.Base(line)
		if all[name] = true; known[name] {
			continue
		}
		span, _, _ := strings.Cut(line, " ")
		from, to, _ := strings.Cut(span, "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil && start < end {
			for _, advice := range []uintptr{unix.MADV_RANDOM, unix.MADV_DONTNEED} { // the map is shared: nothing is lost
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), advice)
			}
		}
	}
	return all
}

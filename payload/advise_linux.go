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
// cache and count as ours until somebody else needs memory. A table is told twice, because at the
// first time it may still be written. Told counts it for each table; adviseTables returns the counts
// of those that are there. Badger does not hand its maps out, so they are found in the process's own
// list of maps. A map that goes away or is replaced meanwhile costs at most a useless hint.
func adviseTables(dir string, told map[string]int) map[string]int {
	all := map[string]int{}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return told
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return told
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if !strings.HasSuffix(line, tableSuffix) || !strings.Contains(line, abs+"/") {
			continue
		}
		name := filepath.Base(line)
		if all[name] = told[name] + 1; all[name] > tellTables {
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

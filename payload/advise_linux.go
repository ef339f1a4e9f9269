package payload

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// adviseMaps turns read-ahead off for the maps of tables, with it one cold value would read megabytes,
// and gives up the pages through which a table was written: they are in the page cache and count as
// ours until somebody else needs memory. A table is told twice, because at the first time it may still
// be written. Told counts it for each table; adviseMaps returns the counts of those in tables. Badger
// does not hand its maps out, so they are found in the process's own list of maps. None of tables may be
// unmapped meanwhile: another map in its place would lose its content.
func adviseMaps(dir string, tables map[string]bool, told map[string]int) map[string]int {
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
	all := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), " ", 6) // range, mode, offset, device, inode, padded path
		if len(fields) < 6 {
			continue
		}
		name, found := strings.CutPrefix(strings.TrimLeft(fields[5], " "), abs+"/")
		if !found || !tables[name] {
			continue
		}
		if all[name] = told[name] + 1; all[name] > tellTables {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
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

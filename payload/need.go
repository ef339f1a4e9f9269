package payload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// compactionBytes bounds what compactions have on disk twice for a time: the tables of level 0 and
	// those below them, one after the other.
	compactionBytes = 112 << 20
	// freshBytes is what badger writes to the new files of an open.
	freshBytes = 2 << 20
)

// Need returns how many bytes the store in dir, open or not, may write before it gives any back, and
// without being asked: memtables become tables, tables are merged. Badger writes through maps of
// files with holes, so it ends the process when there is no room; a caller looks here before Open,
// Sync and Close.
func Need(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	logs, tables := int64(0), int64(0)
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if ext != memSuffix && ext != tableSuffix {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // flushed or merged meanwhile
		}
		if err != nil {
			return 0, err
		}
		if ext == memSuffix {
			logs += min(info.Size()/2, memTableBytes) // a log has twice the size of a full memtable
		} else {
			tables += info.Size()
		}
	}
	return freshBytes + logs + min(tables, compactionBytes), nil
}

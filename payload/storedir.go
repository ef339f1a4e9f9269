package payload

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
)

// emptyLogs returns the logs of memtables and values that have no bytes: a kill came between making
// the file and giving it its size. Badger refuses to open beside one, but would at the next try.
func emptyLogs(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != memSuffix && ext != ".vlog" {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() == 0 {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}

func removeEmpty(dir string) error {
	names, err := emptyLogs(dir)
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// makeDir makes the directory and its name durable.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncPath(filepath.Dir(dir), new(atomic.Bool)) // there is no store yet that could go on
}

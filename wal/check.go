package wal

import (
	"fmt"

	"github.com/isobath/isobath/internal/vfs"
)

// Report is what Check found.
type Report struct {
	First, Last uint64 // of the records that can be read; First is Last+1 if there are none
	Files       int
	Bytes       int64
	Problems    []error
}

// Check reads a log that nobody has open, and changes nothing. The unfinished end of a crash is no
// problem.
func Check(fsys vfs.FS, dir string) (Report, error) {
	sv, err := inspect(fsys, dir)
	if err != nil {
		return Report{}, fmt.Errorf("wal: check %s: %w", dir, err)
	}
	rep := Report{First: 1, Files: len(sv.files)}
	for i, f := range sv.files {
		if i == 0 {
			rep.First = f.start
		}
		rep.Last = f.last
		rep.Bytes += f.end
	}
	if sv.damage != nil {
		rep.Problems = append(rep.Problems, sv.damage)
	}
	return rep, nil
}

package respapi

import (
	"bytes"
	"os"
	"strconv"
)

// residentBytes returns the resident memory of the process, or otherwise where the system
// does not tell.
func residentBytes(otherwise int64) int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return otherwise
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return otherwise
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return otherwise
	}
	return pages * int64(os.Getpagesize())
}

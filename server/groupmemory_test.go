package server

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGroupFilesAreThoseOfTheProcessAndAbove(t *testing.T) {
	files := groupFiles("5:cpu,memory:/a/b\n4:cpuset:/x\n0::/c\nbroken\n")
	require.Equal(t, []string{
		"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/c/memory.max", "/sys/fs/cgroup/memory.max",
		"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
	}, files)
	require.Len(t, groupFiles(""), 2)
	require.Positive(t, groupMemory())
}

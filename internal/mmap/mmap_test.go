package mmap

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

func TestMapSeesWrites(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"os": vfs.OS, "mem": vfs.NewMem(), "failing": vfs.NewFailing(vfs.OS), "failing mem": vfs.NewFailing(vfs.NewMem())} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, fsys.MkdirAll(dir))
			f, err := fsys.Create(dir + "/a")
			require.NoError(t, err)
			defer f.Close()
			require.NoError(t, f.Allocate(0, 20000))
			r, err := Map(f, 5000, 9000)
			require.NoError(t, err)
			require.Len(t, r.Bytes(), 9000)
			_, err = f.WriteAt([]byte("hello"), 5003)
			require.NoError(t, err)
			require.Equal(t, "hello", string(r.Bytes()[3:8]))
			Prefetch(r.Bytes())
			Prefetch(nil)
			require.True(t, Resident(r.Bytes()[3:8]))
			require.True(t, Resident(nil))
			for a := Normal; a <= DontNeed; a++ {
				require.NoError(t, r.Advise(a))
				require.NoError(t, r.AdviseRange(100, 8900, a))
			}
			require.NoError(t, r.Close())
			require.NoError(t, r.Close())
		})
	}
}

func TestMapNothing(t *testing.T) {
	f, err := vfs.NewMem().Create("a")
	require.NoError(t, err)
	r, err := Map(f, 0, 0)
	require.NoError(t, err)
	require.Empty(t, r.Bytes())
	require.NoError(t, r.Close())
	_, err = Map(f, -1, 4)
	require.Error(t, err)
}

func TestGuardTurnsFaultIntoError(t *testing.T) {
	f, err := vfs.OS.Create(t.TempDir() + "/a")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Allocate(0, 1<<16))
	r, err := Map(f, 0, 1<<16)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(0))
	var sum byte
	err = Guard("a", func() error {
		sum = r.Bytes()[1<<15]
		return nil
	})
	var fault *FaultError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, "a", fault.Name)
	require.Zero(t, sum)
	require.NoError(t, r.Close())
}

func TestGuardPassesOtherPanics(t *testing.T) {
	require.PanicsWithValue(t, "own", func() { _ = Guard("x", func() error { panic("own") }) })
	var p *int
	require.Panics(t, func() { _ = Guard("x", func() error { *p = 1; return nil }) })
	require.NoError(t, Guard("x", func() error { return nil }))
}

func TestAlloc(t *testing.T) {
	before := Allocated()
	m, err := Alloc(100_000)
	require.NoError(t, err)
	require.EqualValues(t, 100_000, Allocated()-before)
	b := m.Bytes()
	require.Len(t, b, 100_000)
	require.Zero(t, addressOf(b)%4096)
	b[99_999] = 7
	m.HugePages(1 << 20)
	m.Free()
	m.Free()
	require.Equal(t, before, Allocated())

	big, err := Alloc(1 << 40) // reserving is free
	if err == nil {
		big.Bytes()[1<<39] = 1
		big.Free()
	}
	empty, err := Alloc(0)
	require.NoError(t, err)
	empty.Free()
}

func TestSpillLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	m, err := Spill(dir, 100_000)
	require.NoError(t, err)
	require.Len(t, m.Bytes(), 100_000)
	m.HugePages(100_000)
	require.NoError(t, Guard("spill", func() error {
		for i := range m.Bytes() {
			require.Zero(t, m.Bytes()[i])
			m.Bytes()[i] = byte(i)
		}
		return nil
	}))
	names, err := vfs.OS.List(dir)
	require.NoError(t, err)
	require.Empty(t, names)
	m.Free()
	m.Free()
	_, err = Spill(dir+"/absent", 10)
	require.Error(t, err)
	m, err = Spill(dir, 0)
	require.NoError(t, err)
	m.Free()
}

package mmapvec

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

func TestFetchCountsWhatItReads(t *testing.T) {
	s := openStore(t, vfs.OS, t.TempDir(), 768)
	slots := make([]uint32, 700) // several blocks
	for i := range slots {
		slots[i] = uint32(i)
	}
	write(t, s, 1, slots...)
	v := s.View()
	defer v.Release()
	nothing := func(int, []float32) error { return nil }

	s.residency.probe = always
	r, err := v.Fetch(slots, nothing)
	require.NoError(t, err)
	require.Equal(t, Reads{Mapped: 700}, r)
	s.residency.probe = never
	r, err = v.Fetch(slots, nothing)
	require.NoError(t, err)
	require.Equal(t, Reads{Read: 700, Bytes: 700 * int64(s.layout.stride)}, r)
	asked := 0
	s.residency.probe = func([]byte) bool { asked++; return asked%3 != 0 }
	r, err = v.Fetch(slots[:30], nothing)
	require.NoError(t, err)
	require.Equal(t, Reads{Mapped: 20, Read: 10, Bytes: 10 * int64(s.layout.stride)}, r)
	s.residency.probe = never
	_, err = v.Row(3)
	require.NoError(t, err)
	require.Equal(t, Reads{Mapped: 720, Read: 711, Bytes: 711 * int64(s.layout.stride)}, s.Reads())

	v.Prefetch(append(slots, 1<<31)) // no chunk holds the last one
	require.Equal(t, int64(711), s.Reads().Read)
	r, err = v.Fetch(nil, nothing)
	require.NoError(t, err)
	require.Zero(t, r)
}

// filled returns a store of n rows, pinned, and their slots.
func filled(t *testing.T, n int) (*Store, *View, []uint32) {
	t.Helper()
	s := openStore(t, vfs.OS, t.TempDir(), 8)
	slots := make([]uint32, n)
	for i := range slots {
		slots[i] = uint32(i)
	}
	write(t, s, 1, slots...)
	v := s.View()
	t.Cleanup(v.Release)
	return s, v, slots
}

// TestCalm: where all rows were in memory for long, few are looked at, until one is not.
func TestCalm(t *testing.T) {
	s, v, slots := filled(t, 20)
	asked, there := 0, true
	s.residency.probe = func([]byte) bool { asked++; return there }
	for range calmAfter/len(slots) + 1 {
		require.NoError(t, fetchNothing(v, slots...))
	}
	require.Equal(t, (calmAfter/len(slots)+1)*len(slots), asked)
	asked = 0
	for range 100 {
		require.NoError(t, fetchNothing(v, slots...))
	}
	require.InDelta(t, 100*len(slots)/calmEvery, asked, 25)
	for n := 1; n <= len(slots); n++ { // however many a Fetch has, they are looked at evenly
		for s.residency.streak.Store(calmAfter); s.residency.every() < calmEvery<<calmSteps; {
			every, rows := s.residency.every(), 64*(calmEvery<<calmSteps)
			asked = 0
			for range rows / n {
				s.residency.streak.Store(s.residency.streak.Load() / calmStep * calmStep)
				require.NoError(t, fetchNothing(v, slots[:n]...))
			}
			require.InEpsilon(t, rows/every, asked, 0.25)
			s.residency.streak.Store(s.residency.streak.Load()/calmStep*calmStep + calmStep)
		}
	}
	asked = 0
	there, asked = false, 0
	for asked == 0 {
		require.NoError(t, fetchNothing(v, slots...))
	}
	require.Equal(t, 1+len(slots), asked, "one is not in memory: all are looked at")
	asked = 0
	require.NoError(t, fetchNothing(v, slots...))
	require.Equal(t, len(slots), asked)
}

// A scan of rows looks at all of them until they have been in memory for long, then at one of each batch until that is not.
func TestPrefetchCold(t *testing.T) {
	s, v, slots := filled(t, 64)
	asked, there := 0, true
	s.residency.probe = func([]byte) bool { asked++; return there }
	v.PrefetchCold(nil)
	v.PrefetchCold([]uint32{1 << 31}) // no chunk holds it
	require.Zero(t, asked)
	for range calmAfter / len(slots) {
		v.PrefetchCold(slots)
	}
	require.Equal(t, calmAfter, asked)
	asked = 0
	for range 10 {
		v.PrefetchCold(slots)
	}
	require.Equal(t, 10, asked)
	asked = 0
	for range 10 * calmEvery {
		v.PrefetchCold(slots[:1])
	}
	require.InDelta(t, 10, asked, 3, "one in so many rows, however few there are at once")
	asked, there = 0, false
	v.PrefetchCold(slots)
	require.Equal(t, 1+len(slots), asked)
	v.PrefetchCold(slots)
	require.Equal(t, 1+2*len(slots), asked)
}

func TestFetchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("a sync.Pool drops things in race builds")
	}
	s := openStore(t, vfs.OS, t.TempDir(), 768)
	slots := []uint32{5, 0, 1, 2, 9, 100, 50, 51}
	write(t, s, 1, slots...)
	v := s.View()
	defer v.Release()
	var sum float32
	fn := func(_ int, row []float32) error { sum += row[0]; return nil }
	for where, probe := range probes {
		s.residency.probe = probe
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := v.Fetch(slots, fn); err != nil {
				t.Error(err)
			}
		}), where)
	}
}

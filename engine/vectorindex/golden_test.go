package vectorindex

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden segment of the newest version")

func goldenRow(i int) []float32 {
	row := make([]float32, 8)
	for j := range row {
		row[j] = float32(math.Sin(float64(7*i + j*j)))
	}
	return row
}

// Segments that any version has written are opened for ever.
func TestGoldenSegments(t *testing.T) {
	const rows = 40
	w := newWorld(t, func(o *Options) { o.Dim, o.SealRows = 8, rows })
	var slots []uint32
	var vectors [][]float32
	for i := range rows {
		slot := uint32(3 + 2*i)
		w.rows[slot] = goldenRow(i)
		w.live.Add(slot)
		slots, vectors = append(slots, slot), append(vectors, w.rows[slot])
	}
	require.NoError(t, w.o.Rows.Write(slots, vectors))
	require.NoError(t, w.ix.Append(slots, vectors))
	if *update {
		w.work()
		b, err := readAll(w, w.ix.Saved().Segments[0].File)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile("testdata/v1.vseg", b, 0o644))
	}
	files, err := filepath.Glob("testdata/*.vseg")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		info, err := vfs.OS.Stat(name)
		require.NoError(t, err)
		saved := Saved{Segments: []SegmentRef{{File: filepath.Base(name), Rows: rows, Bytes: info.Size}}}
		require.NoError(t, Check(vfs.OS, "testdata", saved))

		w.o.FS, w.o.Dir = vfs.OS, t.TempDir() // Open removes what it does not know
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(w.o.Dir, filepath.Base(name)), b, 0o600))
		require.NoError(t, w.ix.Close())
		w.saved = saved
		require.Empty(t, w.open())
		require.Equal(t, 1, w.ix.Pending().Segments)
		w.wantComplete()
		w.wantRecall(name, 0.95, Request{Ef: 30, K: 3})
	}
}

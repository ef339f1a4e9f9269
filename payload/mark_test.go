package payload

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/binfmt"
)

func TestLossBehindBadgersBackIsNoticed(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for round := range uint64(3) {
		for i := range uint64(100) {
			require.NoError(t, s.Apply([]Op{set(round*100+i+1, fmt.Sprint("key", i), "value")}))
		}
		require.NoError(t, s.Sync())
		require.NoError(t, s.Sync()) // nothing to do
	}
	require.EqualValues(t, 3, s.mark.number)
	require.Nil(t, s.Damage())
	require.NoError(t, s.Apply([]Op{set(301, "late", "not synced")}))

	// A kill, and damage behind what was synced, are no loss.
	killed := crash(t, dir)
	require.NoError(t, Check(killed))
	log := filepath.Join(killed, "00001.mem")
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	end := len(b)
	for b[end-1] == 0 {
		end--
	}
	flip := func(at int) string {
		copied := crash(t, killed)
		b[at] ^= 4
		require.NoError(t, os.WriteFile(filepath.Join(copied, "00001.mem"), b, 0o600))
		b[at] ^= 4
		return copied
	}
	require.Nil(t, openStore(t, flip(end-3)).Damage())

	// Damage in front is.
	damaged := flip(end / 2)
	require.Error(t, Check(damaged))
	for range 2 {
		s, err := Open(Options{Dir: damaged})
		require.NoError(t, err)
		require.NotNil(t, s.Damage())
		require.NoError(t, s.Apply([]Op{set(400, "k", "v")}))
		require.NoError(t, s.Close())
	}

	closed := crash(t, dir)
	s2, err := Open(Options{Dir: closed})
	require.NoError(t, err)
	require.NoError(t, s2.Close())
	require.NoError(t, Check(closed))
	name := filepath.Join(closed, markFile)
	m, err := os.ReadFile(name)
	require.NoError(t, err)
	m[17] ^= 1
	require.NoError(t, os.WriteFile(name, m, 0o600))
	var c *binfmt.CorruptError
	require.ErrorAs(t, Check(closed), &c)
	require.NotNil(t, openStore(t, closed).Damage())

	// The manifest cut short: badger deletes the tables it no longer knows, but not silently.
	closed = crash(t, dir)
	s3, err := Open(Options{Dir: closed})
	require.NoError(t, err)
	require.NoError(t, s3.Close())
	manifest, err := os.ReadFile(filepath.Join(closed, "MANIFEST"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(closed, "MANIFEST"), manifest[:len(manifest)-2], 0o600))
	require.NotNil(t, openStore(t, closed).Damage())
}

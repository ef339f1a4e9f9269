package payload

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTablesAreAdvised looks at the flags of the maps: every table is read at random, and none of those held
// is unmapped while compactions replace tables.
func TestTablesAreAdvised(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	told := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 1))
	value := string(make([]byte, blobBytes)) // the longest that lies in tables
	seen := 0
	for seq := uint64(1); seq < 20000; seq++ {
		ops := make([]Op, 4)
		for i := range ops {
			ops[i] = set(seq, fmt.Sprint(rng.IntN(20000)), value)
		}
		require.NoError(t, s.Apply(ops))
		s.SetDiscard(seq)
		if seq%500 > 0 {
			continue
		}
		s.withTables(func(tables map[string]bool) {
			told = adviseMaps(dir, tables, told)
			require.Len(t, told, len(tables))
			random := randomMaps(t, dir)
			for name := range tables {
				require.Contains(t, random, name)
			}
			seen = max(seen, len(tables))
		})
	}
	require.Positive(t, seen)
}

// randomMaps returns the base names of the maps below dir that are marked as read at random.
func randomMaps(t *testing.T, dir string) map[string]bool {
	f, err := os.Open("/proc/self/smaps")
	require.NoError(t, err)
	defer f.Close()
	random := map[string]bool{}
	var name string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if _, path, found := strings.Cut(line, dir+"/"); found {
			name = path
		} else if flags, found := strings.CutPrefix(line, "VmFlags:"); found {
			if name != "" && strings.Contains(flags+" ", " rr ") {
				random[name] = true
			}
			name = ""
		}
	}
	return random
}

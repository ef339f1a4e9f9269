package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkersYieldWhileWritesWait(t *testing.T) {
	db, err := Open(t.TempDir(), Options{Workers: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.False(t, db.yields())

	queue := func(list []queued) {
		db.seq.mu.Lock()
		defer db.seq.mu.Unlock()
		db.seq.queue = list
	}
	queue([]queued{{seq: math.MaxUint64}}) // never durable, so never applied
	require.True(t, db.yields())
	queue(nil)
	require.False(t, db.yields())
}

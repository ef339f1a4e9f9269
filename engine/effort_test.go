package engine

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEffortReportsWhenWorkersAreBusyAndNoMore(t *testing.T) {
	var reports []bool
	e := effort{report: func(busy bool) { reports = append(reports, busy) }}
	now := time.Unix(1, 0)
	window := func(worked time.Duration) {
		e.spent(worked)
		now = now.Add(effortWindow)
		e.look(now)
	}
	e.look(now)
	window(effortWindow / 5)
	require.Empty(t, reports, "a row now and then")
	e.spent(effortWindow)
	e.look(now.Add(effortWindow / 2))
	require.Empty(t, reports, "the window is not over")
	window(0)
	require.Equal(t, []bool{true}, reports)
	window(3 * effortWindow)
	window(effortWindow / 10)
	require.Equal(t, []bool{true}, reports, "it pauses for writers")
	window(effortWindow / 50)
	require.Equal(t, []bool{true, false}, reports)
	e.long()
	require.Equal(t, []bool{true, false, true}, reports)
	window(effortWindow)
	e.end()
	e.long() // a timer that fired meanwhile
	require.Equal(t, []bool{true, false, true, false}, reports)
	(&effort{}).end() // nobody wants to know
}

func TestWorkersTellWhatTheySpend(t *testing.T) {
	var begun, ended atomic.Int64
	db, err := Open(t.TempDir(), Options{Workers: 1, Busy: func(busy bool) {
		if busy {
			begun.Add(1)
		} else {
			ended.Add(1)
		}
	}})
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	upsertOne(t, c, 1, 0, "", UpsertOptions{})
	require.Eventually(t, func() bool { return db.effort.worked.Load() > 0 }, 30*time.Second, time.Millisecond)
	db.effort.long()
	require.NoError(t, db.Close())
	require.Positive(t, begun.Load())
	require.Equal(t, begun.Load(), ended.Load(), "nobody works in a closed database")
}

package engine

import (
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

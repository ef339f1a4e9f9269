package vectorindex

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWriteRateFollowsWhatTailsCost(t *testing.T) {
	var st strain
	now := time.Unix(1000, 0)
	second := func(scans int, each time.Duration, inserted int64) float64 {
		st.scans.Add(int64(scans))
		st.nanos.Add(int64(scans) * int64(each))
		st.inserted.Add(inserted)
		now = now.Add(time.Second)
		return st.writeRate(now)
	}
	require.Equal(t, math.Inf(1), st.writeRate(now))
	require.Equal(t, math.Inf(1), second(0, 0, 2000), "nobody searches")
	require.Equal(t, math.Inf(1), second(1, 15*time.Millisecond, 2000), "few searches bear a long tail")
	require.Equal(t, math.Inf(1), second(100, 400*time.Microsecond, 2000), "many bear a short one")
	require.InDelta(t, 2000, second(100, 500*time.Microsecond, 2000), 1, "no more than graphs take")
	require.InDelta(t, 1000, second(100, time.Millisecond, 2000), 1)
	require.InDelta(t, 500, second(100, 8*time.Millisecond, 2000), 1, "writers never stand still")
	require.InDelta(t, 500, second(1, 100*time.Millisecond, 2000), 1)
	for range 20 {
		second(0, 0, 2000)
	}
	require.Equal(t, math.Inf(1), second(0, 0, 2000), "searches have ended")
}

func TestOnlyATailBoundsWriters(t *testing.T) {
	w := newWorld(t, nil)
	require.Equal(t, math.Inf(1), w.ix.WriteRate())
	w.ix.strain.level, w.ix.strain.speed = 1, 1234
	w.add(500)
	require.Equal(t, 1234.0, w.ix.WriteRate())
	w.work()
	require.Equal(t, math.Inf(1), w.ix.WriteRate())
	require.Equal(t, int64(500), w.ix.strain.inserted.Load())
}

func TestSearchesCountTheTailsTheyScan(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 20_000 })
	w.add(500)
	w.work()
	w.add(strainedRows - 1)
	w.search(Request{Query: w.vector(w.heart), K: 10})
	require.Zero(t, w.ix.strain.scans.Load())
	w.add(1)
	w.search(Request{Query: w.vector(w.heart), K: 10})
	require.Equal(t, int64(1), w.ix.strain.scans.Load())
	require.Positive(t, w.ix.strain.nanos.Load())
}

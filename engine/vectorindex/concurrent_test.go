package vectorindex

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
)

// One writer appends, kills and changes the configuration, two workers index, three readers search, all at once, with
// little memory. A reader knows a range of slots that are visible to it throughout and asks for rows that are stored: it
// must find them.
func TestSearchesBesideAppendsKillsConfigureAndWork(t *testing.T) {
	t.Run("from nothing", func(t *testing.T) { searchesBesideAll(t, 0) })
	t.Run("after a kill", func(t *testing.T) { searchesBesideAll(t, 800) }) // rows that have no codes at first
}

func searchesBesideAll(t *testing.T, started int) {
	smallSteps(t, 16)
	smallCells(t, 200)
	forcePlan(t, PlanCells) // of filtered searches
	w := newWorld(t, func(o *Options) {
		o.SealRows, o.EfConstruct, o.SealIdle = 400, 24, -1
		o.Budget, o.SpillDir = NewBudget(500<<10), t.TempDir()
	})
	configs := []func(*Config){
		func(c *Config) { c.Codes = CodeConfig{Kind: CodesScalar, Quantile: 0.99} },
		func(c *Config) { c.CodesPlacement = PlaceMapped },
		func(c *Config) { c.M, c.Codes = 8, CodeConfig{Kind: CodesTurbo, Bits: 4} },
		func(c *Config) { c.NoGraph = true },
		func(*Config) {},
	}
	const total, step, kept = 2400, 40, 200
	all := make([][]float32, total)
	for i := range all {
		all[i] = w.vector(w.heart)
		w.rows[uint32(i)] = all[i]
		w.live.Add(uint32(i))
	}
	even := roaring.New()
	for slot := uint32(0); slot < total; slot += 2 {
		even.Add(slot)
	}
	filter := NewMatches(even)
	if started > 0 {
		slots, live := make([]uint32, started), w.live
		for i := range slots {
			slots[i] = uint32(i)
		}
		require.NoError(t, w.o.Rows.Write(slots, all[:started]))
		w.live = roaring.BitmapOf(slots...)
		w.reopen()
		require.Equal(t, started, w.uncodedRows())
		w.live = live
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var published, oldest atomic.Uint32 // visible are slots in oldest..published-1, and the first kept ones
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := w.ix.Work(context.Background()); err != nil {
					t.Error(err)
					return
				}
				_ = w.ix.Pending()
				_ = w.ix.Saved()
				_ = w.ix.Memory()
				_, _ = w.ix.TailBytes()
			}
		})
	}
	for reader := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(reader)))
			for ctx.Err() == nil {
				if err := searchOnce(w, rng, all, &published, &oldest, kept); err != nil {
					t.Error(err)
					return
				}
				if err := searchEven(w, rng, all, &published, filter, kept); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	published.Store(uint32(started))
	for from := started; from < total; from += step {
		var slots []uint32
		for slot := from; slot < from+step; slot++ {
			slots = append(slots, uint32(slot))
		}
		require.NoError(t, w.o.Rows.Write(slots, all[from:from+step]))
		require.NoError(t, w.ix.Append(slots, all[from:from+step]))
		published.Store(uint32(from + step))
		if turn := from / step; turn%6 == 5 {
			c := w.o.Config
			configs[turn/6%len(configs)](&c)
			require.NoError(t, w.ix.Configure(c))
		}
		if from >= 3*kept {
			dead := slots[:0]
			for slot := from - 2*kept; slot < from-2*kept+step; slot++ {
				dead = append(dead, uint32(slot))
				w.live.Remove(uint32(slot))
			}
			oldest.Store(uint32(from - 2*kept + step))
			w.ix.Kill(dead)
			_ = w.ix.Named()
		}
	}
	stop()
	wg.Wait()
	require.NoError(t, w.ix.Configure(w.o.Config))
	w.work()
	w.wantComplete()
	w.wantRecall("afterwards", 0.95, Request{})
	require.Equal(t, w.o.Budget.Used(), w.ix.held())
	require.NoError(t, w.ix.Close())
	require.Zero(t, w.o.Budget.Used())
	require.Zero(t, w.o.Budget.passing)
}

// searchOnce searches a stored row that is visible before and after.
func searchOnce(w *world, rng *rand.Rand, all [][]float32, published, oldest *atomic.Uint32, kept uint32) error {
	from := oldest.Load() // first: from <= to
	to := published.Load()
	if to == 0 {
		return nil
	}
	v := w.ix.View()
	defer v.Release()
	slot := rng.Uint32N(min(to, kept))
	if to-from > kept && rng.IntN(2) == 0 {
		slot = to - 1 - rng.Uint32N(kept/2) // dies much later
	}
	visible := func(s uint32) bool { return s < to && (s >= from || s < kept) }
	got, stats, err := v.Search(context.Background(), Request{Query: all[slot], K: 5, Ef: 200, Visible: visible}, nil)
	if err != nil {
		return err
	}
	for _, g := range got {
		if g.Slot == slot && g.Distance == 0 && len(got) == 5 {
			return nil
		}
	}
	if slot >= kept && oldest.Load() > slot {
		return nil // died before the view was taken
	}
	return &lostError{slot: slot, published: to, stats: stats, got: got}
}

// searchEven searches with a filter that all searches share.
func searchEven(w *world, rng *rand.Rand, all [][]float32, published *atomic.Uint32, filter *Matches, kept uint32) error {
	to := min(published.Load(), kept)
	if to == 0 {
		return nil
	}
	visible := func(s uint32) bool { return s < to }
	v := w.ix.View()
	defer v.Release()
	got, stats, err := v.Search(context.Background(), Request{Query: all[rng.Uint32N(to)], K: 5, Filter: filter, Visible: visible}, nil)
	if err != nil {
		return err
	}
	for i, g := range got {
		if g.Slot%2 != 0 || g.Slot >= to || (i > 0 && got[i-1].Distance > g.Distance) {
			return fmt.Errorf("%+v among matches below %d; %+v", got, to, stats)
		}
	}
	if len(got) != 5 {
		return fmt.Errorf("%d of 5 matches below %d; %+v", len(got), to, stats)
	}
	return nil
}

type lostError struct {
	slot, published uint32
	stats           Stats
	got             []Result
}

func (e *lostError) Error() string {
	return fmt.Sprintf("stored row %d not found among %v; published %d, %+v", e.slot, e.got, e.published, e.stats)
}

// Where all rows are visible nobody is asked about each, but where some are dead in the index, or not all are.
func TestVisibilityIsAskedForWhereItMatters(t *testing.T) {
	w := newWorld(t, nil)
	w.add(1000)
	w.rest()
	asked, all := 0, true
	r := Request{
		K: 10, Visible: func(slot uint32) bool { asked++; return slot%2 == 0 }, AllVisible: func() bool { return all },
		Filter: w.between(-10, 10),
	}
	search := func() []Result {
		asked, r.Query = 0, w.vector(w.heart)
		got, _ := w.ask(r)
		require.Len(t, got, 10)
		return got
	}
	for _, plan := range []Plan{PlanWalk, PlanFiltered, PlanMatches} {
		if forcePlan(t, plan); plan == PlanWalk {
			r.Filter = nil
		} else {
			r.Filter = w.between(-10, 10)
		}
		all = true
		search()
		require.Zero(t, asked)
		all = false
		for _, x := range search() {
			require.Zero(t, x.Slot%2)
		}
		require.Positive(t, asked)
	}
	all = true
	w.kill(100)
	for _, x := range search() {
		require.Zero(t, x.Slot%2)
	}
	require.Positive(t, asked)
}

// A view of a Flat index that was rewritten without its dead rows still holds them.
func TestRewrittenFlatIndexAsksForVisibility(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Flat = true })
	w.add(200)
	w.kill(2)
	w.kill(3)
	v := w.ix.View()
	defer v.Release()
	w.work()
	require.Zero(t, w.ix.deadRows(w.ix.current), "rewritten")
	got, _, err := v.Search(t.Context(), Request{
		Query: w.vector(w.heart), K: 200, Visible: w.live.Contains, AllVisible: func() bool { return true },
	}, nil)
	require.NoError(t, err)
	require.Len(t, got, int(w.live.GetCardinality()))
}

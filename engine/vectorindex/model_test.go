package vectorindex

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Random operations: appends at free slots, kills, slices of work, searches, clean and unclean stops with a replay from
// the last checkpoint. After each, every live slot is named once, with the code of its own row.
func TestRandomOperationsKeepEverySlot(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"graph":    func(*Options) {},
		"mapped":   func(o *Options) { o.CodesPlacement, o.LinksPlacement = PlaceMapped, PlaceMapped },
		"no graph": func(o *Options) { o.NoGraph = true },
		"flat":     func(o *Options) { o.Flat = true },
		"dot":      func(o *Options) { o.Metric = distance.Dot },
		"larger":   func(o *Options) { o.IndexFromBytes = 150 * 4 * 8 },
		"bounded":  func(o *Options) { o.Budget, o.SpillDir = NewBudget(300<<10), os.TempDir() },
	} {
		t.Run(name, func(t *testing.T) {
			smallCells(t, 60)
			for seed := range uint64(4) {
				m := newModel(t, change, seed)
				for range 300 {
					m.step()
				}
				t.Logf("seed %d: %d merges or seals, %d rows, %+v", seed, m.commits, m.live.GetCardinality(), m.ix.Pending())
			}
		})
	}
}

type model struct {
	*world
	commits  int
	free     *roaring.Bitmap // dead slots that may be reused
	cemetery *roaring.Bitmap // dead slots that are not free yet

	// the checkpoint, and what came after it
	base *roaring.Bitmap
	log  []func()
}

func newModel(t *testing.T, change func(*Options), seed uint64) *model {
	w := newWorld(t, func(o *Options) {
		o.Dim, o.SealRows, o.SnapshotRows, o.EfConstruct, o.M = 8, 64, 20, 16, 4
		change(o)
	})
	w.rng = rand.New(rand.NewPCG(seed, 99))
	m := &model{world: w, free: roaring.New(), cemetery: roaring.New(), base: roaring.New()}
	m.open()
	return m
}

func (m *model) open() {
	m.t.Helper()
	require.NoError(m.t, m.ix.Close())
	m.o.Commit = func(s Saved) error { m.saved = s; m.commits++; return nil }
	ix, problems, err := Open(m.o, m.saved, m.base)
	require.NoError(m.t, err)
	require.Empty(m.t, problems)
	m.ix = ix
	for _, op := range m.log { // replay
		op()
	}
	m.ix.o.SealIdle = []time.Duration{-1, never}[m.rng.IntN(2)]
}

func (m *model) step() {
	switch r := m.rng.IntN(100); {
	case r < 25:
		m.append(1 + m.rng.IntN(40))
	case r < 38:
		m.die(1+m.rng.IntN(20), 3)
	case r < 40: // nearly all
		m.die(len(m.rows), 9)
	case r < 75:
		for range 1 + m.rng.IntN(4) {
			_, err := m.ix.Work(context.Background())
			require.NoError(m.t, err)
		}
	case r < 80:
		m.ix.o.SealIdle = []time.Duration{-1, never}[m.rng.IntN(2)]
	case r < 90:
		m.checkpoint()
	case r < 93: // a clean stop
		require.NoError(m.t, m.ix.SealAll(context.Background()))
		m.checkpoint()
		m.open()
	case r < 97: // a crash
		m.open()
	default:
		filter := roaring.New()
		for slot := range m.rows {
			if m.rng.IntN(3) == 0 {
				filter.Add(slot)
			}
		}
		for _, plan := range []Plan{"", PlanCells} {
			forcePlan(m.t, plan)
			m.search(Request{Query: m.vector(m.heart), K: 1 + m.rng.IntN(50), Filter: NewMatches(filter), Ef: 10})
		}
	}
	m.wantComplete()
	m.search(Request{Query: m.vector(m.heart), K: 1 + m.rng.IntN(30), Ef: 10 + m.rng.IntN(90)})
}

// append appends n rows at the lowest free slots, as the engine does.
func (m *model) append(n int) {
	var slots []uint32
	var rows [][]float32
	for range n {
		slot := m.next
		if !m.free.IsEmpty() {
			slot = m.free.Minimum()
			m.free.Remove(slot)
		} else {
			m.next++
		}
		v := m.vector(m.heart)
		m.rows[slot] = v
		m.live.Add(slot)
		slots, rows = append(slots, slot), append(rows, v)
	}
	m.do(func() {
		require.NoError(m.t, m.o.Rows.Write(slots, rows))
		require.NoError(m.t, m.ix.Append(slots, rows))
	})
}

// die kills up to n slots, each live one with a chance of tenths in ten.
func (m *model) die(n, tenths int) {
	var slots []uint32
	for _, slot := range m.live.ToArray() {
		if n > 0 && m.rng.IntN(10) < tenths {
			slots = append(slots, slot)
			n--
		}
	}
	for _, slot := range slots {
		m.live.Remove(slot)
		m.cemetery.Add(slot)
	}
	m.do(func() { m.ix.Kill(slots) })
}

func (m *model) do(op func()) {
	op()
	m.log = append(m.log, op)
}

// checkpoint forgets the log and frees the dead that nothing names.
func (m *model) checkpoint() {
	m.saved = m.ix.Saved()
	m.base = m.live.Clone()
	m.log = nil
	freed := roaring.AndNot(m.cemetery, m.ix.Named())
	m.free.Or(freed)
	m.cemetery.AndNot(freed)
}

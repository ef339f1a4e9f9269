package slots

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/payload"
)

const testDir = "c/slots"

func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	require.NoError(t, vfs.MkdirDurably(m, testDir))
	return m
}

// namer gives file names in order.
func namer() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("slots-%06d", n) }
}

func idOf(n uint64) payload.PointID {
	if n%3 != 0 {
		return payload.NumID(n)
	}
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], ^n)
	binary.BigEndian.PutUint64(u[8:], n)
	return payload.UUIDID(u)
}

func TestSetGetVisibleKill(t *testing.T) {
	tb := New()
	defer tb.Close()
	_, ok := tb.Get(5)
	require.False(t, ok)
	require.False(t, tb.Visible(5, 100))
	for i := uint64(0); i < 5000; i++ {
		slot := tb.Allocate()
		require.EqualValues(t, i, slot)
		tb.Set(slot, Row{ID: idOf(i), Version: i, Birth: i + 1})
	}
	for i := uint64(0); i < 5000; i++ {
		r, ok := tb.Get(uint32(i))
		require.True(t, ok)
		require.Equal(t, Row{ID: idOf(i), Version: i, Birth: i + 1}, r)
	}
	require.False(t, tb.Visible(9, 9))
	require.True(t, tb.Visible(9, 10))
	tb.Kill(9, 50)
	require.True(t, tb.Visible(9, 49))
	require.False(t, tb.Visible(9, 50))
	tb.SetVersion(9, 77)
	r, _ := tb.Get(9)
	require.Equal(t, Row{ID: idOf(9), Version: 77, Birth: 10, Death: 50}, r)
	require.EqualValues(t, 5000, tb.High())
	require.Nil(t, tb.Damage())
}

func TestLastBirth(t *testing.T) {
	table := New()
	require.Zero(t, table.LastBirth())
	table.Set(table.Allocate(), Row{ID: payload.NumID(1), Birth: 7})
	require.EqualValues(t, 7, table.LastBirth())
	table.Set(table.Allocate(), Row{ID: payload.NumID(2), Birth: 5})
	table.Kill(0, 9)
	require.EqualValues(t, 7, table.LastBirth())
	require.NoError(t, table.Close())
}

func TestAllocateTakesLowestFreeFirst(t *testing.T) {
	tb := New()
	defer tb.Close()
	for range 10 {
		tb.Allocate()
	}
	tb.Free(roaring.New())
	tb.Free(roaring.BitmapOf(7, 3))
	tb.Free(roaring.BitmapOf(5))
	require.Equal(t, []uint32{3, 5, 7}, tb.FreeSet().ToArray())
	var got []uint32
	for range 5 {
		got = append(got, tb.Allocate())
	}
	require.Equal(t, []uint32{3, 5, 7, 10, 11}, got)
	tb.high.Store(NoSlot)
	require.Equal(t, NoSlot, tb.Allocate())
}

// model is a table that is obviously right.
type model struct {
	rows map[uint32]Row
	free map[uint32]bool
	high uint32
}

func newModel() *model { return &model{rows: map[uint32]Row{}, free: map[uint32]bool{}} }

func (m *model) clone() *model {
	c := newModel()
	c.high = m.high
	for k, v := range m.rows {
		c.rows[k] = v
	}
	for k := range m.free {
		c.free[k] = true
	}
	return c
}

func (m *model) allocate() uint32 {
	best := m.high
	for s := range m.free {
		best = min(best, s)
	}
	if best == m.high {
		m.high++
	}
	delete(m.free, best)
	return best
}

func (m *model) require(t testing.TB, tb *Table, msg string) {
	t.Helper()
	require.Nil(t, tb.Damage(), msg)
	require.Equal(t, m.high, tb.High(), msg)
	require.Equal(t, uint64(len(m.free)), tb.FreeSet().GetCardinality(), msg)
	require.Equal(t, int64(m.high)-int64(len(m.free)), tb.Taken(), msg)
	for s := range m.free {
		require.True(t, tb.free.Contains(s), msg)
	}
	for slot := range m.high + 2*pageRows {
		want, has := m.rows[slot]
		got, ok := tb.Get(slot)
		if has != ok || ok && want != got {
			require.Failf(t, "wrong row", "%s: slot %d is %v %v, want %v %v", msg, slot, got, ok, want, has)
		}
	}
}

// driver makes the same random changes to a table and to its model.
type driver struct {
	rng   *rand.Rand
	table *Table
	model *model
	seq   uint64
}

func (d *driver) change(n int) {
	for range n {
		d.seq++
		slot := d.rng.Uint32N(max(d.model.high, 1))
		row, has := d.model.rows[slot]
		switch k := d.rng.IntN(10); {
		case k < 5 || !has:
			slot = d.model.allocate()
			if got := d.table.Allocate(); got != slot {
				panic(fmt.Sprintf("allocated slot %d, want %d", got, slot))
			}
			row = Row{ID: idOf(d.rng.Uint64()), Version: d.rng.Uint64(), Birth: d.seq}
			d.table.Set(slot, row)
		case k < 7:
			row.Version++
			d.table.SetVersion(slot, row.Version)
		case k < 9 && row.Death == 0:
			row.Death = d.seq
			d.table.Kill(slot, d.seq)
		case row.Death != 0 && !d.model.free[slot]:
			d.model.free[slot] = true
			d.table.Free(roaring.BitmapOf(slot))
		}
		d.model.rows[slot] = row
	}
}

// TestModel saves, goes on meanwhile, reloads and compares, many times.
func TestModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			fsys, next := newDisk(t), namer()
			d := &driver{rng: rand.New(rand.NewPCG(seed, 2)), table: New(), model: newModel()}
			for round := range 60 {
				n := 3
				if round%7 == 0 {
					n = 3000
				}
				d.change(d.rng.IntN(n))
				then := d.model.clone()
				sv := d.table.BeginSave()
				d.change(d.rng.IntN(n))
				saved, err := sv.Run(fsys, testDir, next)
				require.NoError(t, err)
				require.LessOrEqual(t, len(saved.Files), manyFiles+1)
				d.change(d.rng.IntN(n))
				if d.rng.IntN(5) > 0 {
					d.table.FinishSave(sv)
				} // else it is given up by the next BeginSave
				if round%5 == 0 {
					runtime.GC() // lets replaced pages be reused
				}
				d.model.require(t, d.table, "running table")
				require.NoError(t, Verify(fsys, testDir, saved))
				loaded, err := Load(fsys, testDir, saved)
				require.NoError(t, err)
				then.require(t, loaded, "saved table")
				if d.rng.IntN(4) == 0 {
					require.NoError(t, d.table.Close())
					d.table, d.model = loaded, then
				} else {
					require.NoError(t, loaded.Close())
				}
			}
			require.NoError(t, d.table.Close())
			require.NoError(t, d.table.Close())
		})
	}
}

func TestUnchangedTableIsNotSavedAgain(t *testing.T) {
	fsys, next := newDisk(t), namer()
	tb := New()
	defer tb.Close()
	save := func() Saved {
		sv := tb.BeginSave()
		saved, err := sv.Run(fsys, testDir, next)
		require.NoError(t, err)
		tb.FinishSave(sv)
		return saved
	}
	require.Equal(t, Saved{}, save())
	tb.Set(tb.Allocate(), Row{ID: idOf(1), Birth: 1})
	first := save()
	require.Len(t, first.Files, 1)
	require.Equal(t, first, save())
	names, err := fsys.List(testDir)
	require.NoError(t, err)
	require.Len(t, names, 1)
	loaded, err := Load(fsys, testDir, Saved{})
	require.NoError(t, err)
	require.Zero(t, loaded.High())
}

// TestReadersNeverSeeTornRows replaces rows, and pages under them, while readers look.
func TestReadersNeverSeeTornRows(t *testing.T) {
	fsys, next := newDisk(t), namer()
	tb := New()
	const slots = 3000
	for range slots {
		tb.Set(tb.Allocate(), Row{ID: payload.NumID(1), Version: 1, Birth: 1})
	}
	var published atomic.Uint64
	published.Store(1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := uint32(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				view := published.Load()
				slot := i * 7 % slots
				// Rows are born at odd numbers and die at the next even one, before that is
				// published: at an even view nothing was ever visible.
				if view%2 == 0 && tb.Visible(slot, view) {
					panic(fmt.Sprintf("slot %d is visible at %d", slot, view))
				}
				if _, ok := tb.Get(slot); !ok {
					panic("no row")
				}
			}
		})
	}
	for seq := uint64(2); seq < 40; seq += 2 {
		var sv *Save
		if seq%6 == 0 {
			sv = tb.BeginSave()
		}
		for slot := range uint32(slots) {
			tb.Kill(slot, seq)
		}
		published.Store(seq)
		if sv != nil {
			_, err := sv.Run(fsys, testDir, next)
			require.NoError(t, err)
			tb.FinishSave(sv)
		}
		for slot := range uint32(slots) {
			tb.Set(slot, Row{ID: payload.NumID(seq), Version: seq, Birth: seq + 1})
		}
		published.Store(seq + 1)
		runtime.GC()
	}
	close(stop)
	wg.Wait()
	require.NoError(t, tb.Close())
}

func BenchmarkVisible(b *testing.B) {
	tb := New()
	defer tb.Close()
	const n = 1 << 20
	for i := range uint32(n) {
		tb.Set(tb.Allocate(), Row{ID: payload.NumID(uint64(i)), Birth: 1})
	}
	count := 0
	for i := uint32(0); b.Loop(); i++ {
		if tb.Visible(i*2654435761%n, 5) {
			count++
		}
	}
}

func TestApproachTakesAnySlot(t *testing.T) {
	table := New()
	defer func() { require.NoError(t, table.Close()) }()
	require.NotPanics(t, func() {
		table.Approach(0)
		table.Approach(NoSlot)
		table.ApproachRow(NoSlot)
	})
	slot := table.Allocate()
	require.NotPanics(t, func() {
		table.Approach(slot)
		table.ApproachRow(slot)
		table.Approach(slot + 3*pageRows)
	})
	require.False(t, table.Visible(slot, 1), "it changes nothing")
}

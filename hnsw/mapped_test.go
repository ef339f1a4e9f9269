package hnsw

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func encode(tb testing.TB, r Reader, order []uint32) []byte {
	tb.Helper()
	var buf bytes.Buffer
	require.NoError(tb, Encode(&buf, r, order))
	return buf.Bytes()
}

// permuted returns the rows in a new order.
func (r *rows) permuted(order []uint32) *rows {
	p := &rows{dim: r.dim}
	for _, old := range order {
		p.data = append(p.data, r.row(old)...)
	}
	return p
}

func TestMappedAnswersAsInMemory(t *testing.T) {
	base, queries := clustered(9, 5050, 16, 40, 0.6).split(50)
	g := build(t, base, Params{M: 8, EfConstruction: 60, Seed: 1}, 1)
	order := g.Order()
	require.Len(t, order, g.Len())
	b := encode(t, g, order)
	m, err := OpenMapped(b)
	require.NoError(t, err)
	require.NoError(t, m.Verify())
	require.NoError(t, Check(g))
	require.Equal(t, g.Len(), m.Len())
	moved := base.permuted(order)
	s, sm := NewScratch(), NewScratch()
	for i := range queries.len() {
		q := queries.row(uint32(i))
		want := slices.Clone(g.Search(base.query(q), SearchOptions{Ef: 40}, s))
		got := m.Search(moved.query(q), SearchOptions{Ef: 40}, sm)
		require.NoError(t, sm.Err)
		require.Len(t, got, len(want))
		for j := range want {
			require.Equal(t, want[j].Distance, got[j].Distance)
			require.Equal(t, want[j].Ord, order[got[j].Ord])
		}
	}
	again := make([]uint32, m.Len())
	for i := range again {
		again[i] = uint32(i)
	}
	require.Equal(t, b, encode(t, m, again), "encoding a mapped graph in its own order gives the same bytes")
	require.Equal(t, again, m.Order(), "breadth-first order is stable")
}

func TestEncodeDropsNodesNotInOrder(t *testing.T) {
	base := clustered(9, 2000, 8, 10, 0.6)
	g := build(t, base, Params{Seed: 1}, 1)
	order := g.Order()[100:1500]
	m, err := OpenMapped(encode(t, g, order))
	require.NoError(t, err)
	require.NoError(t, m.Verify())
	require.Equal(t, 1400, m.Len())
	require.Error(t, Encode(&bytes.Buffer{}, g, []uint32{1, 1}))
	require.Error(t, Encode(&bytes.Buffer{}, g, []uint32{2000}))
}

func TestEmptyGraphs(t *testing.T) {
	g, err := New(0, Params{})
	require.NoError(t, err)
	defer g.Free()
	s := NewScratch()
	base := clustered(1, 10, 4, 1, 1)
	require.Empty(t, g.Search(base.query(base.row(0)), SearchOptions{Ef: 5}, s))
	require.ErrorIs(t, g.Insert(0, base.NewProbe(), s), ErrCapacity)
	m, err := OpenMapped(encode(t, g, nil))
	require.NoError(t, err)
	require.NoError(t, m.Verify())
	require.Empty(t, m.Search(base.query(base.row(0)), SearchOptions{Ef: 5}, s))
	one := build(t, &rows{4, base.data[:4]}, Params{}, 1)
	require.ErrorIs(t, one.Insert(0, base.NewProbe(), s), ErrExists)
	m, err = OpenMapped(encode(t, one, one.Order()))
	require.NoError(t, err)
	require.Len(t, m.Search(base.query(base.row(3)), SearchOptions{Ef: 5}, s), 1)
}

func TestDamageIsFound(t *testing.T) {
	base := clustered(5, 3000, 8, 30, 0.5)
	g := build(t, base, Params{Seed: 1}, 1)
	b := encode(t, g, g.Order())
	moved := base.permuted(g.Order())
	for _, at := range []int{0, 9, 70, 200, headBytes + 5, headBytes + 100_000, len(b) / 2, len(b) - 3, len(b) - 300} {
		bad := slices.Clone(b)
		bad[at] ^= 0x40
		m, err := OpenMapped(bad)
		if err != nil {
			continue
		}
		if at < headBytes {
			continue // padding of the header
		}
		require.Error(t, m.Verify(), "byte %d", at)
		s := NewScratch()
		require.NotPanics(t, func() { m.Search(moved.query(moved.row(7)), SearchOptions{Ef: 3000}, s) })
		require.Error(t, s.Err)
	}
	for _, n := range []int{0, 10, 64, headBytes - 1, headBytes, len(b) - 1} {
		_, err := OpenMapped(b[:n])
		require.Error(t, err)
	}
	_, err := OpenMapped(append(make([]byte, 1, len(b)+1), b...)[1:])
	require.NoError(t, err, "misaligned bytes are copied")
}

// FuzzMapped opens, searches and verifies hostile bytes whose checksums are right.
func FuzzMapped(f *testing.F) {
	base := clustered(5, 200, 4, 3, 0.5)
	g, err := New(base.len(), Params{M: 4, EfConstruction: 20})
	require.NoError(f, err)
	insertFrom(f, g, base, 0, 1)
	b := encode(f, g, g.Order())
	f.Add(b, uint64(0))
	f.Add(b, uint64(3))
	f.Add(b[:headBytes+100], uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		b = slices.Clone(b)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range seed % 16 {
			if len(b) > headBytes {
				b[headBytes+rng.IntN(len(b)-headBytes)] ^= byte(rng.Uint32())
			}
		}
		reseal(b)
		m, err := OpenMapped(b)
		if err != nil || m.Len() > 1<<16 {
			return
		}
		s := NewScratch()
		q := &constant{}
		m.Search(q, SearchOptions{Ef: 20}, s)
		m.Search(q, SearchOptions{Ef: 20, Bits: []uint64{5, 1 << 40}}, s)
		if m.Verify() != nil || m.Len() == 0 {
			return
		}
		order := m.Order()
		require.Len(t, order, m.Len())
		_, err = OpenMapped(encode(t, m, order))
		require.NoError(t, err)
	})
}

// constant is a Scorer without vectors.
type constant struct{}

func (constant) Distances(ids []uint32, out []float32, _ float32) {
	for i, id := range ids {
		out[i] = float32(id % 7)
	}
}

func upTo(n int) []uint32 {
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	return ids
}

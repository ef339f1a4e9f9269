package hnsw

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRebaseKeepsRecall(t *testing.T) {
	base, queries := clustered(21, 6060, 24, 3000, 0.7).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 2)
	for _, share := range []float64{0.3, 0.6} {
		rng := rand.New(rand.NewPCG(6, 6))
		order := g.Order()
		m, err := OpenMapped(encode(t, g, order))
		require.NoError(t, err)
		// live nodes keep their order, new rows follow
		remap := make([]uint32, m.Len())
		moved := &rows{dim: base.dim}
		for i, old := range order {
			remap[i] = NoOrd
			if rng.Float64() >= share {
				remap[i] = uint32(moved.len())
				moved.data = append(moved.data, base.row(old)...)
			}
		}
		live := moved.len()
		more := clustered(21, 7060, 24, 3000, 0.7)
		moved.data = append(moved.data, more.data[6060*24:]...)
		r, err := Rebase(m, m.Len(), remap, moved.len(), Params{EfConstruction: 80, Seed: 77, Workers: 2}, moved.NewProbe)
		require.NoError(t, err)
		defer r.Free()
		require.NoError(t, Check(r))
		require.Equal(t, live, r.Len())
		require.Equal(t, live, Reachable(r))
		o := SearchOptions{Ef: 40}
		only := &rows{moved.dim, moved.data[:live*moved.dim]}
		fresh := measure(t, build(t, only, Params{EfConstruction: 80, Seed: 5}, 2), only, queries, 10, o, nil)
		healed := measure(t, r, only, queries, 10, o, nil)
		t.Logf("%.0f %% dead: fresh %+v healed %+v", share*100, fresh, healed)
		require.GreaterOrEqual(t, healed.recall, fresh.recall-0.015)
		insertFrom(t, r, moved, live, 2)
		require.NoError(t, Check(r))
		require.Equal(t, moved.len(), r.Len())
		grown := measure(t, r, moved, queries, 10, o, nil)
		t.Logf("grown %+v", grown)
		require.GreaterOrEqual(t, grown.recall, fresh.recall-0.02)
	}
}

func TestRebaseOfClusteredDeaths(t *testing.T) {
	base := clustered(22, 4000, 8, 20, 0.1)
	g := build(t, base, Params{M: 4, Seed: 5}, 1)
	remap := make([]uint32, base.len())
	moved := &rows{dim: base.dim}
	for i := range remap { // whole regions die
		remap[i] = NoOrd
		if base.row(uint32(i))[0] > 0 {
			remap[i] = uint32(moved.len())
			moved.data = append(moved.data, base.row(uint32(i))...)
		}
	}
	r, err := Rebase(g, base.len(), remap, moved.len(), Params{M: 4}, moved.NewProbe)
	require.NoError(t, err)
	defer r.Free()
	require.NoError(t, Check(r))
	require.Equal(t, moved.len(), Reachable(r))
	f := measure(t, r, moved, &rows{8, moved.data[:8*50]}, 10, SearchOptions{Ef: 60}, nil)
	t.Logf("%+v", f)
	require.GreaterOrEqual(t, f.recall, 0.95)
}

func TestRebaseRefusesWhatDoesNotFit(t *testing.T) {
	base := clustered(22, 100, 8, 20, 0.1)
	g := build(t, base, Params{M: 4, Seed: 5}, 1)
	remap := make([]uint32, 100)
	_, err := Rebase(g, 100, remap, 100, Params{M: 8}, base.NewProbe)
	require.Error(t, err)
	_, err = Rebase(g, 101, remap, 100, Params{M: 4}, base.NewProbe)
	require.Error(t, err)
	_, err = Rebase(g, 100, remap, 100, Params{M: 4}, base.NewProbe)
	require.ErrorIs(t, err, ErrExists)
	remap[0] = 500
	_, err = Rebase(g, 1, remap, 100, Params{M: 4}, base.NewProbe)
	require.ErrorIs(t, err, ErrCapacity)
	for i := range remap {
		remap[i] = NoOrd
	}
	r, err := Rebase(g, 100, remap, 100, Params{M: 4}, base.NewProbe)
	require.NoError(t, err)
	require.Zero(t, r.Len())
	insertFrom(t, r, base, 0, 1)
	require.Equal(t, 100, Reachable(r))
	r.Free()
	r.Free()
}

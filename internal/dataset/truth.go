package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Depth is the number of exact neighbours of a query that are kept.
const Depth = 100

// Truth is the exact neighbours of queries, nearest first.
type Truth struct {
	depth int
	ids   []int32
}

// Of returns row numbers of the neighbours of a query; fewer than asked for where the set has fewer.
func (t *Truth) Of(query int) []int32 {
	ids := t.ids[query*t.depth : (query+1)*t.depth]
	if end := slices.Index(ids, -1); end >= 0 {
		return ids[:end]
	}
	return ids
}

// Renamed returns the same neighbours under other ids.
func (t *Truth) Renamed(id func(row int32) int32) *Truth {
	out := &Truth{depth: t.depth, ids: slices.Clone(t.ids)}
	for i, row := range out.ids {
		if row >= 0 {
			out.ids[i] = id(row)
		}
	}
	return out
}

// Truth returns the Depth nearest rows of every query, from the cache directory where they have
// been computed before. progress, unless nil, is told how many rows were compared.
func (s *Set) Truth(ctx context.Context, cache string, progress func(rows int)) (*Truth, error) {
	name := s.CacheFile(cache, "truth.i32")
	if t, err := readTruth(name, s); err == nil {
		return t, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	t, err := s.Nearest(ctx, s.Queries, Depth, 0, s.Rows, nil, progress)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, t.ids); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if err := errors.Join(os.WriteFile(name+".tmp", b.Bytes(), 0o600), os.Rename(name+".tmp", name)); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	return t, nil
}

// readTruth reads a cache file: Depth int32 a query, little-endian, -1 behind the last neighbour.
func readTruth(name string, s *Set) (*Truth, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	t := &Truth{depth: Depth, ids: make([]int32, s.Queries.Len()*Depth)}
	if len(b) != 4*len(t.ids) {
		return nil, fmt.Errorf("dataset: %s is damaged: %d bytes, want %d; delete it", name, len(b), 4*len(t.ids))
	}
	for i := range t.ids {
		if t.ids[i] = int32(binary.LittleEndian.Uint32(b[4*i:])); t.ids[i] < -1 || int(t.ids[i]) >= s.Rows {
			return nil, fmt.Errorf("dataset: %s is damaged: row %d of %d; delete it", name, t.ids[i], s.Rows)
		}
	}
	return t, nil
}

// Nearest compares all queries with all rows from from to to for which allow, unless nil, is true,
// and returns the k nearest. Rows at one distance are ordered by number. It uses all processors
// and holds no more than a few hundred kilobytes of rows for each.
func (s *Set) Nearest(ctx context.Context, queries *Rows, k, from, to int, allow func(row int) bool, progress func(rows int)) (*Truth, error) {
	if s.Rows > math.MaxInt32 {
		return nil, fmt.Errorf("dataset: %d rows are more than ids can number", s.Rows)
	}
	workers := runtime.GOMAXPROCS(0)
	found := make([]*neighbours, workers)
	for i := range found {
		found[i] = newNeighbours(queries.Len(), k)
	}
	part := max(16, (256<<10)/(4*s.Dim)) // rows that stay in the second-level cache
	var done atomic.Int64
	err := s.Each(ctx, from, to, part, workers, func(worker, at int, rows *Rows) error {
		found[worker].add(s.Metric.Kernel(), queries, rows, at, allow)
		if n := done.Add(int64(rows.Len())); progress != nil {
			progress(int(n))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, other := range found[1:] {
		found[0].merge(other)
	}
	return found[0].truth(), nil
}

// near is a row at a distance. Order: distance, then number.
type near struct {
	distance float32
	row      int32
}

func (n near) less(o near) bool {
	return n.distance < o.distance || n.distance == o.distance && n.row < o.row
}

// neighbours are the k nearest so far of each query: a heap of at most k, the farthest on top.
type neighbours struct {
	k     int
	heaps [][]near
	ids   []uint32
	out   []float32
}

func newNeighbours(queries, k int) *neighbours {
	return &neighbours{k: k, heaps: make([][]near, queries)}
}

// add compares rows, numbered from at, with all queries.
func (n *neighbours) add(m distance.Metric, queries, rows *Rows, at int, allow func(row int) bool) {
	n.ids = n.ids[:0]
	for i := range rows.Len() {
		if allow == nil || allow(at+i) {
			n.ids = append(n.ids, uint32(i))
		}
	}
	n.out = slices.Grow(n.out[:0], len(n.ids))[:len(n.ids)]
	raw := rowBytes(rows)
	for q := range queries.Len() {
		distance.RowsF32(m, queries.Row(q), raw, 4*rows.Dim, n.ids, n.out)
		for i, d := range n.out {
			n.push(q, near{d, int32(at) + int32(n.ids[i])})
		}
	}
}

// rowBytes returns rows as the kernels want them: little-endian, which all our targets are.
func rowBytes(r *Rows) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(r.Data))), 4*len(r.Data))
}

func (n *neighbours) push(q int, x near) {
	h := n.heaps[q]
	if len(h) < n.k {
		h = append(h, x)
		for i := len(h) - 1; i > 0 && h[(i-1)/2].less(h[i]); i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		n.heaps[q] = h
		return
	}
	if !x.less(h[0]) {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child].less(h[child+1]) {
			child++
		}
		if !x.less(h[child]) {
			break
		}
		h[i], i = h[child], child
	}
	h[i] = x
}

func (n *neighbours) merge(o *neighbours) {
	for q, h := range o.heaps {
		for _, x := range h {
			n.push(q, x)
		}
	}
}

func (n *neighbours) truth() *Truth {
	t := &Truth{depth: n.k, ids: make([]int32, 0, len(n.heaps)*n.k)}
	for _, h := range n.heaps {
		slices.SortFunc(h, func(a, b near) int {
			if a.less(b) {
				return -1
			}
			return 1
		})
		for i := range n.k {
			if i < len(h) {
				t.ids = append(t.ids, h[i].row)
			} else {
				t.ids = append(t.ids, -1)
			}
		}
	}
	return t
}

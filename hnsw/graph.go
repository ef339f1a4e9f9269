package hnsw

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/internal/mmap"
)

// NoOrd is the ord of no node.
const NoOrd = ^uint32(0)

// MaxM is the largest [Params.M].
const MaxM = 512

const (
	maxCapacity = 1 << 30 // ords fit a link word beside its mark, and a buffer word beside its bit
	maxLevel    = 30
	seedNodes   = 256 // the first nodes are inserted one by one: parallel insertion of these wrecks recall
	linkMark    = 1 << 31
	linkMask    = linkMark - 1
)

// Errors of New and Insert.
var (
	// ErrCapacity is returned by Insert for an ord beyond the capacity.
	ErrCapacity = errors.New("hnsw: ord beyond capacity")
	// ErrExists is returned by Insert for an ord that is in the graph.
	ErrExists = errors.New("hnsw: ord is in the graph already")
	// ErrCorrupt is wrapped by every error about damaged bytes of a mapped graph.
	ErrCorrupt = errors.New("hnsw: damaged graph")
)

// Scorer gives distances from one query to nodes; smaller is nearer.
type Scorer interface {
	// Distances sets out[i] to the distance of node ids[i]. len(out) >= len(ids). It is called once a hop. Of a node
	// that is surely, or nearly so, not nearer than bound any value from bound on will do: its exact distance may be
	// more work. A bound of +Inf asks for all.
	Distances(ids []uint32, out []float32, bound float32)
}

// Prefetcher is a Scorer that can ask for the codes of nodes ahead of time. Walks call it for the nodes that the call
// of Distances after the next one, or the next Sift, is about.
type Prefetcher interface{ Prefetch(ids []uint32) }

// Sifter is a Scorer that can tell by a part of a node's data that it is hardly nearer than a bound.
type Sifter interface {
	// Sift writes to kept those of ids that may be nearer than bound, in their order, and returns how many they are. Their
	// distances are asked for next, if any are kept, with a bound of +Inf; on level 0 the walk does something else before: time to
	// load the rest of the data.
	Sift(ids, kept []uint32, bound float32) int
}

// Space makes probes; a builder takes one per worker.
type Space interface{ NewProbe() Probe }

// Probe is a Scorer whose query is a stored node.
type Probe interface {
	Scorer
	// Aim makes node ord the query.
	Aim(ord uint32)
}

// Params are the build parameters of a graph.
type Params struct {
	// M is the number of links of a node on upper levels; level 0 holds 2*M. Default 16, bounds 2 to MaxM.
	M int
	// EfConstruction is the width of the search for neighbours. Default 128, at least M.
	EfConstruction int
	// Seed draws the levels.
	Seed uint64
	// Workers is how many goroutines Rebase uses. Default 1.
	Workers int
	// Alloc reserves zeroed memory for links. Default: mmap.Alloc.
	Alloc func(bytes int) (*mmap.Memory, error)
}

func (p Params) withDefaults() Params {
	p.M = cmp.Or(p.M, 16)
	p.EfConstruction = max(cmp.Or(p.EfConstruction, 128), p.M)
	p.Workers = max(p.Workers, 1)
	if p.Alloc == nil {
		p.Alloc = mmap.Alloc
	}
	return p
}

func (p Params) validate(capacity int) error {
	if p.M < 2 || p.M > MaxM {
		return fmt.Errorf("hnsw: M %d is not in 2..%d", p.M, MaxM)
	}
	if p.EfConstruction > 1<<20 {
		return fmt.Errorf("hnsw: EfConstruction %d is too large", p.EfConstruction)
	}
	if capacity < 0 || capacity > maxCapacity {
		return fmt.Errorf("hnsw: capacity %d is not in 0..%d", capacity, maxCapacity)
	}
	return nil
}

// links is what both forms of the graph share: arrays of link words.
//
// A link word is ord+1 in its low 31 bits, zero ends a row; the top bit marks a link of the spanning tree.
type links struct {
	limit  uint32 // ords are below it
	m, m0  int
	stride int           // words from row to row on level 0
	level0 []uint32      // limit rows of stride words
	at     []uint32      // 0: no such node; 1: on level 0 only; k+2: record at upper[k]
	upper  []uint32      // records: level, then a row of m words for each level from 1
	blocks *blocks       // checksums to verify at first use; nil in memory
	entry  atomic.Uint64 // level<<32 | ord+1; 0 while empty
}

// strideOf rounds a row up to whole cache lines.
func strideOf(m0 int) int { return (m0 + 15) &^ 15 }

// start returns the entry point and its level.
func (g *links) start() (ord uint32, level int) {
	e := g.entry.Load()
	return uint32(e) - 1, int(e >> 32)
}

// level returns the top level of a node, -1 if it is not in the graph.
func (g *links) level(ord uint32) int {
	a := atomic.LoadUint32(&g.at[ord])
	switch {
	case a == 0:
		return -1
	case a == 1:
		return 0
	}
	if uint64(a-2) >= uint64(len(g.upper)) {
		return 0
	}
	return int(min(atomic.LoadUint32(&g.upper[a-2]), maxLevel))
}

// row returns the link words of a node on a level, empty if there are none or if they are damaged.
func (g *links) row(ord uint32, level int) []uint32 {
	if level == 0 {
		if g.blocks != nil && !g.blocks.level0(ord) {
			return nil
		}
		o := int(ord) * g.stride
		return g.level0[o : o+g.m0 : o+g.m0]
	}
	return g.upperRow(ord, level)
}

func (g *links) upperRow(ord uint32, level int) []uint32 {
	if g.blocks != nil && !g.blocks.node(ord) {
		return nil
	}
	a := int(atomic.LoadUint32(&g.at[ord])) - 2
	if a < 0 || a >= len(g.upper) {
		return nil
	}
	if g.blocks != nil && !g.blocks.upper(a, 1) {
		return nil
	}
	lo := a + 1 + (level-1)*g.m
	if level > int(atomic.LoadUint32(&g.upper[a])) || lo+g.m > len(g.upper) {
		return nil
	}
	if g.blocks != nil && !g.blocks.upper(lo, g.m) {
		return nil
	}
	return g.upper[lo : lo+g.m : lo+g.m]
}

// Reader is a graph that can be searched: a *Graph or a *Mapped.
type Reader interface {
	// Search walks towards q and returns at most o.Ef accepted nodes, nearest first. The slice belongs to s until its
	// next use.
	Search(q Scorer, o SearchOptions, s *Scratch) []Candidate
	// Resume goes on with the search that paused in s, of this graph with q and o, until every node nearer than a
	// distance, see Cutoff, is expanded or the search is over. Stats count what is new.
	Resume(q Scorer, o SearchOptions, until float32, s *Scratch) []Candidate
	// Len returns the number of nodes.
	Len() int
	source() *links
}

// Graph is a growing graph. Insert and Search are safe for concurrent use; Free is not.
type Graph struct {
	links
	params Params
	mul    float64 // 1/ln(M)
	mem    []*mmap.Memory
	count  atomic.Int64
	used   atomic.Int64 // words of upper in use
	seed   sync.Mutex   // held by the first inserts
	top    sync.Mutex   // held by an insert above the top level
	stripe []sync.Mutex // write locks of nodes
	shift  uint
}

// New makes an empty graph for ords below capacity. Memory is reserved off the Go heap and backed when it is touched.
func New(capacity int, p Params) (*Graph, error) { return newGraph(capacity, p, 0) }

// newGraph reserves room for extra upper records beside those that the levels of capacity nodes need.
func newGraph(capacity int, p Params, extraRows int) (*Graph, error) {
	p = p.withDefaults()
	if err := p.validate(capacity); err != nil {
		return nil, err
	}
	g := &Graph{params: p, mul: 1 / math.Log(float64(p.M))}
	g.limit, g.m, g.m0 = uint32(capacity), p.M, 2*p.M
	g.stride = strideOf(g.m0)
	stripes := min(1<<bits.Len(uint(capacity)), 1<<14)
	g.stripe, g.shift = make([]sync.Mutex, stripes), uint(32-bits.Len(uint(stripes-1)))
	rows := 2*(capacity/(p.M-1)) + extraRows + 1024
	for _, a := range []struct {
		words int
		to    *[]uint32
	}{{capacity * g.stride, &g.level0}, {capacity, &g.at}, {rows * (p.M + 1), &g.upper}} {
		m, err := p.Alloc(max(a.words*4, 64))
		if err != nil {
			g.Free()
			return nil, fmt.Errorf("hnsw: reserve a graph for %d nodes: %w", capacity, err)
		}
		g.mem = append(g.mem, m)
		*a.to = words(m.Bytes())[:a.words]
	}
	g.mem[0].HugePages(capacity * g.stride * 4)
	return g, nil
}

// words views aligned bytes as words.
func words(b []byte) []uint32 {
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// Len returns the number of inserted nodes.
func (g *Graph) Len() int { return int(g.count.Load()) }

// Params returns the build parameters with defaults filled in.
func (g *Graph) Params() Params { return g.params }

// Bytes returns the memory that the nodes of the graph need, an estimate for budgets.
func (g *Graph) Bytes() int64 {
	return g.count.Load()*int64(g.stride+1)*4 + g.used.Load()*4
}

// Free gives the memory back. The graph must not be used afterwards; calling Free twice is fine.
func (g *Graph) Free() {
	for _, m := range g.mem {
		m.Free()
	}
	g.mem, g.level0, g.at, g.upper, g.limit = nil, nil, nil, nil, 0
	g.entry.Store(0)
	g.count.Store(0)
}

func (g *Graph) source() *links { return &g.links }

// lock takes the write lock of a node.
func (g *Graph) lock(ord uint32) *sync.Mutex {
	mu := &g.stripe[(ord*0x9e3779b1)>>g.shift&uint32(len(g.stripe)-1)]
	mu.Lock()
	return mu
}

// levelOf draws the level of a node: P(level >= l) = M^-l.
func (g *Graph) levelOf(ord uint32) int {
	h := mix(uint64(ord) ^ mix(g.params.Seed))
	u := (float64(h>>11) + 1) / (1 << 53) // (0, 1]
	return min(int(-math.Log(u)*g.mul), maxLevel)
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// claim makes ord a node of the graph with empty rows up to level, or fewer if the upper records are used up.
func (g *Graph) claim(ord uint32, level int) (int, bool) {
	if !atomic.CompareAndSwapUint32(&g.at[ord], 0, 1) {
		return 0, false
	}
	if level == 0 {
		return 0, true
	}
	n := int64(1 + level*g.m)
	end := g.used.Add(n)
	if end > int64(len(g.upper)) {
		g.used.Add(-n)
		return 0, true
	}
	atomic.StoreUint32(&g.upper[end-n], uint32(level))
	atomic.StoreUint32(&g.at[ord], uint32(end-n)+2)
	return level, true
}

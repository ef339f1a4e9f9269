package vectorindex

import (
	"time"
	"unsafe"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/prefetch"
	"github.com/isobath/isobath/mmapvec/quant"
)

// codeSpace serves the building of a graph over codes; implements hnsw.Space.
type codeSpace struct {
	book  *codebook
	codes []byte
}

func (cs *codeSpace) NewProbe() hnsw.Probe {
	return &codeProbe{space: cs, book: cs.book, query: cs.book.quantizer.NewQuery()}
}

// codeProbe implements hnsw.Probe: its query is a stored code.
type codeProbe struct {
	space *codeSpace
	book  *codebook // of query
	query quant.Query
}

func (cp *codeProbe) Aim(ord uint32) {
	stride := cp.book.stride
	at := int(ord) * stride
	cp.query.ResetCode(cp.space.codes[at : at+stride])
}

func (cp *codeProbe) Distances(ords []uint32, out []float32, bound float32) {
	cp.query.Distances(cp.space.codes, ords, out, bound)
}

// codeScorer implements hnsw.Scorer for a search: one query over the codes of one source after the other.
type codeScorer struct {
	query quant.Query
	coded
}

func (cs *codeScorer) Distances(ords []uint32, out []float32, bound float32) {
	if cs.mapped == nil {
		cs.query.Distances(cs.codes, ords, out, bound)
		return
	}
	begun := time.Now()
	cs.query.Distances(cs.codes, ords, out, bound)
	cs.mapped.note(time.Since(begun))
}

// prefetchLines is the longest code row, in cache lines, that walks ask for ahead of time. More at once would stall;
// the kernels ask for longer rows while they score.
const prefetchLines = 4

// Prefetch implements hnsw.Prefetcher.
func (cp *codeProbe) Prefetch(ords []uint32) { prefetchCodes(cp.space.codes, cp.book.stride, ords) }

// Prefetch implements hnsw.Prefetcher.
func (cs *codeScorer) Prefetch(ords []uint32) {
	if !cs.ask(ords) {
		prefetchCodes(cs.codes, cs.book.stride, ords)
	}
}

func prefetchCodes(codes []byte, stride int, ords []uint32) {
	if lines := (stride + 63) / 64; lines <= prefetchLines {
		prefetch.Rows(codes, stride, lines, ords)
	}
}

// bytesOf returns the memory of v. All platforms that we build for are little-endian, as our files are.
func bytesOf[T float32 | uint32](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// wordsOf returns b, which is aligned, as uint32 values.
func wordsOf(b []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func longsOf(b []byte) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

func floatsOf(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

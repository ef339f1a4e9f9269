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
	cp := &codeProbe{space: cs, book: cs.book, query: cs.book.quantizer.NewQuery()}
	if sifter := quant.SifterOf(cp.query); sifter != nil {
		return &planeProbe{cp, sifter}
	}
	return cp
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

// planeProbe is a codeProbe whose query sifts; implements hnsw.Sifter.
type planeProbe struct {
	*codeProbe
	sifter quant.Sifter
}

func (pp *planeProbe) Sift(ids, kept []uint32, bound float32) int {
	return pp.sifter.Sift(pp.space.codes, ids, kept, bound)
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

// planeScorer is a codeScorer whose query sifts; implements hnsw.Sifter.
type planeScorer struct {
	*codeScorer
	sifter quant.Sifter
}

func (ps *planeScorer) Sift(ids, kept []uint32, bound float32) int {
	if ps.mapped == nil {
		return ps.sifter.Sift(ps.codes, ids, kept, bound)
	}
	begun := time.Now()
	n := ps.sifter.Sift(ps.codes, ids, kept, bound)
	ps.mapped.noteWait(time.Since(begun)) // the distances that follow are noted as well
	return n
}

// prefetchLines is how many cache lines of a code, at most, walks ask for ahead of time. More at once would stall; the kernels
// ask for longer rows while they score. Of codes of several planes the first one is asked for: most rows end there, and
// with all lines, or one more, a walk of 384 dimensions takes 2 to 3 % longer, of 768 with none or one more 3 to 5 %.
const prefetchLines = 4

// Prefetch implements hnsw.Prefetcher.
func (cp *codeProbe) Prefetch(ords []uint32) { cp.book.prefetch(cp.space.codes, ords) }

// Prefetch implements hnsw.Prefetcher.
func (cs *codeScorer) Prefetch(ords []uint32) {
	if !cs.ask(ords) {
		cs.book.prefetch(cs.codes, ords)
	}
}

// prefetch has the processor load of each code what every query reads.
func (b *codebook) prefetch(codes []byte, ords []uint32) {
	if b.ahead > 0 {
		prefetch.Rows(codes, b.stride, b.ahead, ords)
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

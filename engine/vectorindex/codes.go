package vectorindex

import (
	"unsafe"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/isobath/isobath/mmapvec/quant"
)

// codeKind says on disk what the codes of a segment are. The numbers are never reused.
type codeKind uint8

const (
	codesNone     codeKind = 0
	codesRotated8 codeKind = 1
	codesPlain8   codeKind = 2
)

// newQuantizer returns the quantizer of an index, nil for none.
func newQuantizer(c *Config) (quant.Quantizer, codeKind) {
	if c.Flat {
		return nil, codesNone
	}
	kind := codesRotated8
	if c.Metric == distance.L1 { // a rotation does not preserve it
		kind = codesPlain8
	}
	return quant.New(quant.Params{Dim: c.Dim, Metric: c.Metric, Seed: c.Seed}), kind
}

// codeSpace serves the building of a graph over codes; implements hnsw.Space.
type codeSpace struct {
	quantizer quant.Quantizer
	codes     []byte
	stride    int
}

func (cs *codeSpace) NewProbe() hnsw.Probe {
	return &codeProbe{space: cs, query: cs.quantizer.NewQuery()}
}

// codeProbe implements hnsw.Probe: its query is a stored code.
type codeProbe struct {
	space *codeSpace
	query quant.Query
}

func (cp *codeProbe) Aim(ord uint32) {
	at := int(ord) * cp.space.stride
	cp.query.ResetCode(cp.space.codes[at : at+cp.space.stride])
}

func (cp *codeProbe) Distances(ords []uint32, out []float32, bound float32) {
	cp.query.Distances(cp.space.codes, ords, out, bound)
}

// codeScorer implements hnsw.Scorer for a search: one query over the codes of one source after the other.
type codeScorer struct {
	query quant.Query
	codes []byte
}

func (cs *codeScorer) Distances(ords []uint32, out []float32, bound float32) {
	cs.query.Distances(cs.codes, ords, out, bound)
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

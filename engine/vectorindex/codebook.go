package vectorindex

import (
	"math"
	"slices"
	"sync"

	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/isobath/isobath/mmapvec/quant"
)

// codeKind says on disk what the codes of a segment are. The numbers are never reused.
type codeKind uint8

const (
	codesNone     codeKind = 0
	codesRotated8 codeKind = 1
	codesPlain8   codeKind = 2 // L1
	codesScalar8  codeKind = 3
	codesRotated4 codeKind = 4
	codesRotated2 codeKind = 5
	codesRotated1 codeKind = 6
	codesNibbles4 codeKind = 7 // rotated, two to a byte

	lastKind = codesNibbles4
)

// bits returns the bits of a component, 0 for no codes.
func (k codeKind) bits() int {
	switch k {
	case codesNone:
		return 0
	case codesRotated4, codesNibbles4:
		return 4
	case codesRotated2:
		return 2
	case codesRotated1:
		return 1
	}
	return 8
}

// rotated tells whether codes of the kind are of the rotated row, less a centre.
func (k codeKind) rotated() bool { return k == codesRotated8 || k >= codesRotated4 }

// From fourBitDim dimensions on 4 bits a component and a rescoring of the few best find as much as 8 bits in fewer cache
// lines; below, they are for when memory is short. From fewBitsDim on two bits or one are for then, too: up to there they are no shorter. Above planeDim
// dimensions 4 bits are two cache lines as planes, and one up to nibbleDim if two of them lie in a byte. Up to shortDim nothing is rotated,
// so that few bits tell little, and 8 bits lie in the same line.
const (
	shortDim   = 7
	fourBitDim = 192
	fewBitsDim = nibbleDim + 1
	planeDim   = 64
	nibbleDim  = 108
)

// fourBits returns the kind of codes of 4 bits.
func (c *Config) fourBits() codeKind {
	if c.Dim > planeDim && c.Dim <= nibbleDim {
		return codesNibbles4
	}
	return codesRotated4
}

// kinds returns the kinds of codes that the configuration allows, the one to have where memory allows it first.
func (c *Config) kinds() []codeKind {
	switch {
	case c.Flat:
		return []codeKind{codesNone}
	case c.Metric == distance.L1: // a rotation does not preserve it
		return []codeKind{codesPlain8}
	case c.Codes.Kind == CodesScalar:
		return []codeKind{codesScalar8}
	case c.Codes.Kind == CodesTurbo && c.Dim <= shortDim:
		return []codeKind{codesRotated8}
	case c.Codes.Kind == CodesTurbo && c.Codes.Bits == 1:
		return []codeKind{codesRotated1}
	case c.Codes.Kind == CodesTurbo && c.Codes.Bits == 2:
		return []codeKind{codesRotated2}
	case c.Codes.Kind == CodesTurbo:
		return []codeKind{c.fourBits()}
	}
	var kinds []codeKind
	if c.Dim < fourBitDim {
		kinds = append(kinds, codesRotated8)
	}
	kinds = append(kinds, c.fourBits())
	if c.Dim >= fewBitsDim {
		kinds = append(kinds, codesRotated2, codesRotated1)
	}
	return kinds
}

// codebook is one way of making codes. Codes of one codebook are compared and copied as bytes, those of another are made
// anew from rows.
type codebook struct {
	kind      codeKind
	quantile  float32
	centre    []float32       // subtracted before the rotation; nil: nothing
	quantizer quant.Quantizer // nil: codesNone
	stride    int             // bytes of a code
	first     int             // bytes of a code that every query reads
	ahead     int             // cache lines of a code that walks ask for ahead of time, 0: too many
}

// fewBits tells whether distances on the codes err so much that walks have to be wider.
func (b *codebook) fewBits() bool { return b.kind == codesRotated2 || b.kind == codesRotated1 }

// descent is the width of the walk on level 1 (60 000 x 128 in 300 clusters, one bit: of 3 000 rows 190, 74, 38 and 19 were looked for in a
// wrong cluster at Ef 16 with a width of 1, 4, 8 and 16, in 393, 383, 399 and 455 distances; at Ef 40 23, 11, 6 and 3). With more bits
// few go astray, and other sets pay for it: 4 % at 0.95 of the sentences.
func (b *codebook) descent() int {
	if b.fewBits() {
		return fewBitsDescent
	}
	return 1
}

const fewBitsDescent = 5

// newCodebook makes the codebook of a kind; the parts of c that quant would refuse were validated.
func newCodebook(c *Config, kind codeKind, quantile float32, centre []float32) *codebook {
	b := &codebook{kind: kind, quantile: quantile, centre: centre}
	if kind == codesNone {
		return b
	}
	b.quantizer = quant.New(codeParams(c, kind, quantile, centre))
	b.stride = b.quantizer.Stride()
	b.first = b.quantizer.First()
	if lines := b.first / 64; lines <= prefetchLines {
		b.ahead = lines
	}
	return b
}

func codeParams(c *Config, kind codeKind, quantile float32, centre []float32) quant.Params {
	return quant.Params{
		Dim: c.Dim, Metric: c.Metric, Seed: c.Seed, Bits: kind.bits(), Centre: centre,
		Nibbles: kind == codesNibbles4, Plain: kind == codesScalar8 || kind == codesPlain8, Quantile: quantile,
	}
}

// books are the codebooks of an index: equal ones are one, so that a search prepares its query once for each.
type books struct {
	mu   sync.Mutex
	list []*codebook
}

func (bs *books) get(c *Config, kind codeKind, quantile float32, centre []float32) *codebook {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	for _, b := range bs.list {
		if b.kind == kind && b.quantile == quantile && slices.Equal(b.centre, centre) {
			return b
		}
	}
	b := newCodebook(c, kind, quantile, centre)
	bs.list = append(bs.list, b)
	return b
}

// wanted returns the codebook that an index of so many rows is to have.
func (ix *Index) wanted(rows int) *codebook {
	kind := ix.affordable(rows)
	var quantile float32
	switch q := ix.conf().Codes; {
	case kind == codesScalar8, kind == codesPlain8 && q.Kind == CodesScalar && q.Quantile < 1:
		quantile = q.Quantile
	}
	var centre []float32
	if kind.rotated() {
		centre = ix.centre
	}
	return ix.books.get(ix.conf(), kind, quantile, centre)
}

const centreRows = 1000 // that the centre is the mean of, at least where there are so many

// centreOf returns the mean of rows; nil where it is of no use: rotated codes of what lies around the origin gain nothing.
func centreOf(dim int, rows [][]float32) []float32 {
	sum := make([]float64, dim)
	lengths := 0.0
	for _, row := range rows {
		for i, x := range row {
			sum[i] += float64(x)
			lengths += float64(x) * float64(x)
		}
	}
	centre, length := make([]float32, dim), 0.0
	for i, s := range sum {
		centre[i] = float32(s / float64(len(rows)))
		length += float64(centre[i]) * float64(centre[i])
	}
	const least = 0.02 // of the squared length
	if !(length > least*lengths/float64(len(rows))) || math.IsInf(length, 0) {
		return nil
	}
	return centre
}

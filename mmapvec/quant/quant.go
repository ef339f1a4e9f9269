package quant

import (
	"errors"
	"fmt"
	"math"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Params say what a quantizer encodes. Codes of different parameters do not mix.
type Params struct {
	Dim    int             // floats in a row, 1 to 65536
	Metric distance.Metric // what the estimates estimate
	Seed   uint64          // of the random rotation
	Bits   int             // of a coordinate: 8 (0 means 8), 4, 2 or 1; plain codes and those for L1 have 8
	// Nibbles has codes of 4 bits lie two to a byte instead of in planes: fewer cache lines where rows are short, and nothing is told
	// by a part of a row.
	Nibbles bool
	// Centre is subtracted from every row before it is encoded, so that a large common mean costs no precision. Dim
	// finite numbers, or nil for the origin. For Dot and L2. Not copied.
	Centre []float32
	Plain  bool // codes of 8 bits without a rotation; those for L1 always are
	// Quantile, of plain codes, is the share of a row's coordinates that the range of its codes holds: those beyond are
	// cut off. 0 means 1, all of them. For Dot and L2 the largest absolute values are left out, for L1 as many on
	// either side.
	Quantile float32
}

// Validate returns every reason for which [New] would panic.
func (p Params) Validate() error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("quant: "+format, args...))
		}
	}
	p = p.withDefaults()
	refuse(p.Dim < 1 || p.Dim > maxDim, "dimension %d is not 1 to %d", p.Dim, maxDim)
	refuse(p.Metric > distance.L1, "unknown metric %v", p.Metric)
	refuse(p.Bits != 8 && p.Bits != 4 && p.Bits != 2 && p.Bits != 1, "%d bits are not 8, 4, 2 or 1", p.Bits)
	refuse(p.Nibbles && p.Bits != 4, "nibbles have 4 bits, not %d", p.Bits)
	refuse(p.Nibbles && p.Metric == distance.L1, "codes for %v are no nibbles", p.Metric)
	refuse(p.Plain && p.Bits != 8, "plain codes have 8 bits, not %d", p.Bits)
	refuse(p.Centre != nil && p.Metric == distance.L1, "codes for %v have no centre", p.Metric)
	refuse(p.Centre != nil && len(p.Centre) != p.Dim, "the centre has %d floats, not %d", len(p.Centre), p.Dim)
	for _, x := range p.Centre {
		if !(math.Abs(float64(x)) <= math.MaxFloat32) {
			refuse(true, "the centre is not finite")
			break
		}
	}
	refuse(!(p.Quantile > 0 && p.Quantile <= 1), "quantile %v is not above 0 and at most 1", p.Quantile)
	refuse(p.Quantile != 1 && !p.Plain, "a quantile is for plain codes")
	return errors.Join(errs...)
}

func (p Params) withDefaults() Params {
	if p.Bits == 0 {
		p.Bits = 8
	}
	if p.Quantile == 0 {
		p.Quantile = 1
	}
	if p.Metric == distance.L1 {
		p.Plain = true
	}
	return p
}

// New returns the quantizer. It panics if p is not valid: that is for the caller to refuse.
func New(p Params) Quantizer {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	p = p.withDefaults()
	switch {
	case p.Metric == distance.L1:
		return newL1Codes(p)
	case p.Bits == 8:
		return newByteCodes(p)
	case p.Nibbles:
		return newNibbleCodes(p)
	}
	return newPlaneCodes(p)
}

// Quantizer encodes rows and prepares queries. It is safe for concurrent use.
type Quantizer interface {
	// Stride returns the bytes of one code row, a multiple of 64.
	Stride() int
	// First returns how many bytes from the begin of a row a query reads of every row, a multiple of 64; of rows that it
	// cannot give up after these it reads all.
	First() int
	// Encode writes the code of row to dst, which is Stride bytes long. Rows hold finite numbers and are normalised
	// already where cosine is meant; others get some code, without a panic.
	Encode(dst []byte, row []float32)
	// NewQuery returns a query without a vector: call Reset or ResetCode first.
	NewQuery() Query
}

// Query estimates the distances of one vector to codes. It is for one goroutine and allocates nothing once made.
type Query interface {
	// Reset makes q the query.
	Reset(q []float32)
	// ResetCode makes a stored code the query. The estimates are coarser than those of Reset, the more so the fewer bits
	// a code has, and rows that nearly point along the query, whose codes err alike, come out too near: a duplicate by
	// 2·1.2 % of its squared length with 4 bits, 2·13 % with 2 and 2·57 % with 1, half of that as a product. The code has to
	// stay what it is until the next call of either.
	ResetCode(code []byte)
	// Distances writes to out[i] the estimated distance to the code row ids[i] of codes. Estimates of squared distances
	// may lie a little below zero. Of a row that is very probably not nearer than bound any value from bound on may
	// be written: codes of several planes look at the first one only then. A bound of +Inf asks for all.
	Distances(codes []byte, ids []uint32, out []float32, bound float32)
	// Distance returns the estimated distance to one code row.
	Distance(code []byte) float32
	// Deviation returns the standard deviation of the estimate for one code row from the exact distance, 0 if it is not
	// known. Errors of rotated codes are close to a normal distribution; a bound of five deviations rarely fails.
	Deviation(code []byte) float32
}

// Sifter is a Query on codes of several planes, which tells by the first one what the others are worth a look of.
type Sifter interface {
	Query
	// Sift writes to kept those of ids whose rows are not very probably farther than bound, in their order, and returns
	// how many they are; all for a bound of +Inf. It has the processor load what Distances with a bound of +Inf reads of them.
	Sift(codes []byte, ids, kept []uint32, bound float32) int
}

// SifterOf returns q as a Sifter, nil if all of each row is read at once.
func SifterOf(q Query) Sifter {
	if p, ok := q.(*planeQuery); ok && p.z.twoPasses {
		return p
	}
	return nil
}

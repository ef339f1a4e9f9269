package vectorindex

import (
	"errors"
	"io"
	"math"
	"slices"

	"github.com/isobath/isobath/mmapvec/distance"
)

// cells divide the ords of a segment into runs of rows that lie near each other, each around a centre (the inverted file of
// Sivic and Zisserman, 2003): where few of the rows near a query match its filter, only the cells that may hold some of the
// best matches are scanned.
type cells struct {
	codes []byte   // of the centres, in the codebook of the segment
	begin []uint32 // first ord of each cell, and the number of rows
	// gain is what part of a centre the mean of its cell is: 1, but for Dot, whose centres are as long as rows.
	gain   []float32
	spread []float32 // mean squared distance of the rows of each cell from their mean
	tails  []float32 // of the zones, one after the other
}

// The cells of a segment are in zones by how near they are to a query: zone i holds the cells from rank zoneRanks[i] on, in parts of all
// cells. The tail of a zone is what part of the rows in its cells are i/tailSteps deviations or more nearer than the mean of
// their cell, for i below tailLength: the heavier, the nearer the cells are, and heavier than that of a normal distribution
// where rows have near duplicates.
var zoneRanks = [zones]float64{0, 0.005, 0.02, 0.06, 0.15, 0.4}

const (
	zones      = 6
	tailSteps  = 4
	tailLength = 12*tailSteps + 1
)

// zoneEnds returns the rank after the last of each zone of n cells.
func zoneEnds(n int) (ends [zones]int) {
	for i, from := range zoneRanks[1:] {
		ends[i] = int(math.Ceil(from * float64(n)))
	}
	ends[zones-1] = n
	return ends
}

func (c *cells) tail(zone int) []float32 { return c.tails[zone*tailLength:][:tailLength] }

// above is the part of the rows that lie z deviations or more nearer than the mean of their cell, all where that is not known.
func above(tail []float32, z float64) float64 {
	at := z * tailSteps
	switch {
	case !(at >= 0):
		return 1
	case at < tailLength-1:
		i := int(at)
		part := at - float64(i)
		return float64(tail[i])*(1-part) + float64(tail[i+1])*part
	}
	return 0
}

func (c *cells) len() int {
	if c == nil {
		return 0
	}
	return len(c.gain)
}

// place turns mean, the distances of a query to the centres, into the mean distances of the rows of each cell, writes the variances
// of these to variance, but for a factor that depends on the query, and appends the cells to order, in keys that sort by their means:
// the lower half of a key is the cell.
func (c *cells) place(m distance.Metric, mean []float32, variance []float64, order []uint64) []uint64 {
	for i, d := range mean {
		spread := float64(c.spread[i])
		if m == distance.L2 {
			mean[i], variance[i] = finite32(float64(d)+spread), float64(max(d, 0))*spread
		} else {
			mean[i], variance[i] = finite32(float64(d)*float64(c.gain[i])), spread
		}
		b := math.Float32bits(mean[i])
		order = append(order, uint64(b^(uint32(int32(b)>>31)|1<<31))<<32|uint64(i))
	}
	return order
}

// factor is what the variances of cells are to be multiplied by for one query, learnt from rows.
type factor struct{ residuals, expected float64 }

// add learns from a row at distance d in a cell of that mean and variance.
func (f *factor) add(d, mean float32, variance float64) {
	off := float64(d) - float64(mean)
	f.residuals += off * off
	f.expected += variance
}

// known tells whether there is a factor: not where no cell has any spread.
func (f *factor) known() bool { return f.expected > 0 && f.residuals/f.expected <= math.MaxFloat64 }

func (f *factor) deviation(variance float64) float64 {
	return math.Sqrt(f.residuals / f.expected * variance)
}

// cellsBytes is the size of the section of n cells around codes of stride bytes.
func cellsBytes(n, stride int64) int64 { return n*stride + 4*(n+1) + 8*n + 4*zones*tailLength }

func (c *cells) write(w io.Writer) error {
	var errs []error
	for _, b := range [][]byte{c.codes, bytesOf(c.begin), bytesOf(c.gain), bytesOf(c.spread), bytesOf(c.tails)} {
		_, err := w.Write(b)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// decodeCells reads the section of n cells, whose size was checked, of a segment of so many rows.
func decodeCells(b []byte, n, stride, rows int) (*cells, error) {
	take := func(bytes int) []byte {
		part := b[:bytes:bytes]
		b = b[bytes:]
		return part
	}
	c := &cells{codes: take(n * stride)}
	c.begin = wordsOf(take(4 * (n + 1)))
	c.gain, c.spread = floatsOf(take(4*n)), floatsOf(take(4*n))
	c.tails = floatsOf(take(4 * zones * tailLength))
	if c.begin[0] != 0 || int(c.begin[n]) != rows || !slices.IsSorted(c.begin) {
		return nil, errSection
	}
	for i, spread := range c.spread {
		if !(spread >= 0 && spread <= math.MaxFloat32) || !(math.Abs(float64(c.gain[i])) <= math.MaxFloat32) {
			return nil, errSection
		}
	}
	for _, part := range c.tails {
		if !(part >= 0 && part <= 1) {
			return nil, errSection
		}
	}
	return c, nil
}

package vectorindex

import (
	"errors"
	"io"
	"math"
	"slices"
)

// cells divide the ords of a segment into runs of rows that lie near each other, each around a centre (the inverted file of
// Sivic and Zisserman, 2003): where few of the rows near a query match its filter, only the cells that may hold some of the
// best matches are scanned.
type cells struct {
	codes []byte   // of the centres, in the codebook of the segment
	begin []uint32 // first ord of each cell, and the number of rows
	// gain is what part of a centre the mean of its cell is: 1, but for Dot, whose centres have length 1.
	gain   []float32
	spread []float32 // mean squared distance of the rows of each cell from their mean
}

func (c *cells) len() int {
	if c == nil {
		return 0
	}
	return len(c.gain)
}

// cellsBytes is the size of the section of n cells around codes of stride bytes.
func cellsBytes(n, stride int64) int64 { return n*stride + 4*(n+1) + 8*n }

func (c *cells) write(w io.Writer) error {
	var errs []error
	for _, b := range [][]byte{c.codes, bytesOf(c.begin), bytesOf(c.gain), bytesOf(c.spread)} {
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
	if c.begin[0] != 0 || int(c.begin[n]) != rows || !slices.IsSorted(c.begin) {
		return nil, errSection
	}
	for i, spread := range c.spread {
		if !(spread >= 0 && spread <= math.MaxFloat32) || !(math.Abs(float64(c.gain[i])) <= math.MaxFloat32) {
			return nil, errSection
		}
	}
	return c, nil
}

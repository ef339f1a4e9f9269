// Package dataset reads vector files for the tools below test/ and writes request bodies.
package dataset

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

const maxDim = 1 << 16

// Rows are vectors of one length, one behind the other.
type Rows struct {
	Dim  int
	Data []float32
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.Data) / r.Dim }

// Row returns row i without copying.
func (r *Rows) Row(i int) []float32 { return r.Data[i*r.Dim : (i+1)*r.Dim : (i+1)*r.Dim] }

// ReadFvecs reads a file of rows {dim int32, dim × float32}, little-endian; at most limit rows
// when limit > 0.
func ReadFvecs(name string, limit int) (*Rows, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReaderSize(f, 1<<20)
	rows := &Rows{}
	var head [4]byte
	var body []byte
	for limit <= 0 || rows.Dim == 0 || rows.Len() < limit {
		if _, err := io.ReadFull(in, head[:]); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", name, err)
		}
		dim := int(int32(binary.LittleEndian.Uint32(head[:])))
		if dim < 1 || dim > maxDim || rows.Dim != 0 && dim != rows.Dim {
			return nil, fmt.Errorf("dataset: %s: dimension %d behind %d", name, dim, rows.Dim)
		}
		if rows.Dim == 0 {
			rows.Dim, body = dim, make([]byte, 4*dim)
		}
		if _, err := io.ReadFull(in, body); err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", name, err)
		}
		for i := range dim {
			rows.Data = append(rows.Data, math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:])))
		}
	}
	if rows.Dim == 0 {
		return nil, fmt.Errorf("dataset: %s: no rows", name)
	}
	return rows, nil
}

// AppendJSON appends a vector as a JSON array of numbers that read back to the same bits.
func AppendJSON(b []byte, v []float32) []byte {
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return append(b, ']')
}

// Blob returns a vector as RESP wants it: float32, little-endian.
func Blob(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// UpsertBody returns the body of an upsert of rows from to to (exclusive), with the row number as
// ID and no payload.
func (r *Rows) UpsertBody(from, to int) []byte {
	b := append(make([]byte, 0, (to-from)*(r.Dim*12+32)), `{"points":[`...)
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"id":`...), int64(i), 10)
		b = append(AppendJSON(append(b, `,"vector":`...), r.Row(i)), '}')
	}
	return append(b, `]}`...)
}

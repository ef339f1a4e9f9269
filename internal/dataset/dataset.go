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

// Slice returns rows from to to (exclusive) without copying.
func (r *Rows) Slice(from, to int) *Rows {
	return &Rows{Dim: r.Dim, Data: r.Data[from*r.Dim : to*r.Dim : to*r.Dim]}
}

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
		dim, err := checkDim(head[:], rows.Dim)
		if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", name, err)
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

// UpsertBody returns the body of an upsert of rows, numbered from first. payload, where not nil,
// returns the JSON object of a row.
func UpsertBody(rows *Rows, first int, payload func(row int) []byte) []byte {
	b := append(make([]byte, 0, rows.Len()*(rows.Dim*12+32)), `{"points":[`...)
	for i := range rows.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"id":`...), int64(first+i), 10)
		b = AppendJSON(append(b, `,"vector":`...), rows.Row(i))
		if payload != nil {
			b = append(append(b, `,"payload":`...), payload(first+i)...)
		}
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

// WriteFvecs writes rows in the format of ReadFvecs.
func WriteFvecs(w io.Writer, rows *Rows) error {
	line := make([]byte, 0, 4+4*rows.Dim)
	for i := range rows.Len() {
		line = binary.LittleEndian.AppendUint32(line[:0], uint32(rows.Dim))
		for _, x := range rows.Row(i) {
			line = binary.LittleEndian.AppendUint32(line, math.Float32bits(x))
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

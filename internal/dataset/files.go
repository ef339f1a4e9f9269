package dataset

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/isobath/isobath/mmapvec/distance"
)

// about is set.json.
type about struct {
	Metric             Metric
	Dim, Rows, Queries int
	Fields             map[string]string
}

// openPrepared opens a set that a script of prepare/ has written.
func openPrepared(o Options) (*Set, error) {
	dir := filepath.Join(o.Dir, o.Name)
	text, err := os.ReadFile(filepath.Join(dir, "set.json"))
	if err != nil {
		return nil, fmt.Errorf("dataset: %s is not prepared, see internal/dataset/prepare: %w", o.Name, err)
	}
	var a about
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", filepath.Join(dir, "set.json"), err)
	}
	for name, kind := range a.Fields {
		if kind != "integer" && kind != "keyword" {
			return nil, fmt.Errorf("dataset: %s: field %s is of kind %q", dir, name, kind)
		}
	}
	whole := o.Rows == 0
	o.Metric, o.Base, o.Query = a.Metric, filepath.Join(dir, "base.fvecs"), filepath.Join(dir, "query.fvecs")
	s, err := openFiles(o)
	if err != nil {
		return nil, err
	}
	if s.Dim != a.Dim || whole && s.Rows != a.Rows {
		return nil, errors.Join(fmt.Errorf("dataset: %s holds %d x %d, set.json says %d x %d", dir, s.Rows, s.Dim, a.Rows, a.Dim), s.Close())
	}
	s.Name, s.Fields, s.payload = o.Name, a.Fields, filepath.Join(dir, "payload.jsonl")
	return s, nil
}

// openFiles opens two fvecs files.
func openFiles(o Options) (_ *Set, err error) {
	f := &fvecs{name: o.Base, normalize: o.Metric == Cosine}
	if f.file, err = os.Open(o.Base); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.close()
		}
	}()
	info, err := f.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	var head [4]byte
	if _, err := f.file.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", o.Base, err)
	}
	if f.dim, err = checkDim(head[:], 0); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", o.Base, err)
	}
	stride := int64(4 + 4*f.dim)
	if info.Size()%stride != 0 {
		return nil, fmt.Errorf("dataset: %s: %d bytes are no whole number of rows of dimension %d", o.Base, info.Size(), f.dim)
	}
	queries, err := ReadFvecs(o.Query, o.Queries)
	if err != nil {
		return nil, err
	}
	if queries.Dim != f.dim {
		return nil, fmt.Errorf("dataset: rows of dimension %d, queries of %d", f.dim, queries.Dim)
	}
	if f.normalize {
		normalize(queries)
	}
	rows := int(info.Size() / stride)
	if o.Rows > 0 {
		rows = min(rows, o.Rows)
	}
	other, err := os.Stat(o.Query)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	return &Set{
		Name: filepath.Base(o.Base), Metric: o.Metric, Dim: f.dim, Rows: rows, Queries: queries, source: f,
		identity: fmt.Sprintf("%s %d %d", o.Base, info.Size(), info.ModTime().UnixNano()),
		asked:    fmt.Sprintf(" of %s %d %d", o.Query, other.Size(), other.ModTime().UnixNano()),
	}, nil
}

// fvecs reads rows of a file by number.
type fvecs struct {
	name      string
	file      *os.File
	dim       int
	normalize bool
}

func (f *fvecs) close() error { return f.file.Close() }

func (f *fvecs) read(from int, into *Rows) error {
	stride := 4 + 4*f.dim
	raw := make([]byte, into.Len()*stride)
	if _, err := f.file.ReadAt(raw, int64(from)*int64(stride)); err != nil {
		return fmt.Errorf("dataset: %s: %w", f.name, err)
	}
	for i := range into.Len() {
		row := raw[i*stride : (i+1)*stride]
		if _, err := checkDim(row, f.dim); err != nil {
			return fmt.Errorf("dataset: %s: row %d: %w", f.name, from+i, err)
		}
		out := into.Row(i)
		for j := range out {
			out[j] = math.Float32frombits(binary.LittleEndian.Uint32(row[4+4*j:]))
		}
	}
	if f.normalize {
		normalize(into)
	}
	return nil
}

func normalize(rows *Rows) {
	for i := range rows.Len() {
		distance.Normalize(rows.Row(i))
	}
}

// checkDim reads the dimension at the head of an fvecs row; want is that of the rows before, or 0.
func checkDim(head []byte, want int) (int, error) {
	dim := int(int32(binary.LittleEndian.Uint32(head)))
	if dim < 1 || dim > maxDim || want != 0 && dim != want {
		return 0, fmt.Errorf("dimension %d behind %d", dim, want)
	}
	return dim, nil
}

// Payload returns the JSON objects of the rows, nil when the set has none.
func (s *Set) Payload() (func(row int) []byte, error) {
	if s.payload == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.payload)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if len(lines) < s.Rows {
		return nil, fmt.Errorf("dataset: %s: %d lines for %d rows: %w", s.payload, len(lines), s.Rows, io.ErrUnexpectedEOF)
	}
	return func(row int) []byte { return lines[row] }, nil
}

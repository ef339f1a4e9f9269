package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// row is one point, ready for an upsert.
type row struct {
	json   []byte // the point
	vector []byte // its vector or vectors
}

// rowFile reads rows of a file that is imported.
type rowFile struct {
	file   *os.File
	size   int64
	in     *bufio.Reader
	raw    *countingReader
	read   func() (row, error)
	rows   int64
	number *uint64 // of the next row without an id
	bytes  []byte  // scratch
}

// countingReader counts what was read from the file, compressed or not.
type countingReader struct {
	io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func openRows(name, format string, number *uint64) (*rowFile, error) {
	bare := strings.TrimSuffix(name, ".gz")
	switch {
	case format != "":
	case strings.HasSuffix(bare, ".fvecs"):
		format = "fvecs"
	case strings.HasSuffix(bare, ".jsonl"), strings.HasSuffix(bare, ".ndjson"):
		format = "jsonl"
	default:
		return nil, &statusError{2, fmt.Errorf("%s: name the format with --format jsonl or --format fvecs", name)}
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f := &rowFile{file: file, size: info.Size(), raw: &countingReader{Reader: file}, number: number}
	var in io.Reader = f.raw
	if bare != name {
		if in, err = gzip.NewReader(f.raw); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
		}
	}
	f.in = bufio.NewReaderSize(in, 256<<10)
	switch format {
	case "jsonl":
		f.read = f.readJSON
	case "fvecs":
		f.read = f.readFloats
	default:
		return nil, errors.Join(&statusError{2, fmt.Errorf("--format %s is neither jsonl nor fvecs", format)}, file.Close())
	}
	return f, nil
}

func (f *rowFile) Close() error { return f.file.Close() }

// next returns the next row, io.EOF after the last one.
func (f *rowFile) next() (row, error) {
	r, err := f.read()
	if err == nil {
		f.rows++
	} else if err != io.EOF {
		err = fmt.Errorf("row %d: %w", f.rows+1, err)
	}
	return r, err
}

// estimate returns how many rows the file seems to have, 0 when that is not known.
func (f *rowFile) estimate() int64 {
	if f.raw.n == 0 || f.size <= 0 {
		return 0
	}
	return int64(float64(f.rows) * float64(f.size) / float64(min(f.raw.n, f.size)))
}

// maxLine bounds a line of JSON.
const maxLine = 16 << 20

// readJSON reads a line. Blank lines are skipped.
func (f *rowFile) readJSON() (row, error) {
	for {
		f.bytes = f.bytes[:0]
		for {
			part, err := f.in.ReadSlice('\n')
			if len(f.bytes)+len(part) > maxLine {
				return row{}, fmt.Errorf("the line is longer than %d MiB", maxLine>>20)
			}
			f.bytes = append(f.bytes, part...)
			if err == bufio.ErrBufferFull {
				continue
			}
			if err != nil && (err != io.EOF || len(f.bytes) == 0) {
				return row{}, err
			}
			break
		}
		if line := bytes.TrimSpace(f.bytes); len(line) > 0 {
			return f.point(line)
		}
	}
}

// point makes a row of an object.
func (f *rowFile) point(line []byte) (row, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return row{}, err
	}
	vector := object["vector"]
	if vector == nil {
		return row{}, errors.New(`no "vector"`)
	}
	point := map[string]json.RawMessage{"vector": vector}
	if point["id"] = object["id"]; point["id"] == nil {
		point["id"] = strconv.AppendUint(nil, *f.number, 10)
		*f.number++
	}
	delete(object, "vector")
	delete(object, "id")
	if p, ok := object["payload"]; ok {
		point["payload"] = p
	} else if len(object) > 0 {
		rest, err := json.Marshal(object)
		if err != nil {
			return row{}, err
		}
		point["payload"] = rest
	}
	data, err := json.Marshal(point)
	return row{json: data, vector: vector}, err
}

// maxDim bounds the dimension of an fvecs row.
const maxDim = 65536

func (f *rowFile) readFloats() (row, error) {
	var head [4]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return row{}, err // io.EOF between two rows
	}
	dim := int(int32(binary.LittleEndian.Uint32(head[:])))
	if dim < 1 || dim > maxDim {
		return row{}, fmt.Errorf("dimension %d is not from 1 to %d: is this an fvecs file?", dim, maxDim)
	}
	if cap(f.bytes) < 4*dim {
		f.bytes = make([]byte, 4*dim)
	}
	f.bytes = f.bytes[:4*dim]
	if _, err := io.ReadFull(f.in, f.bytes); err != nil {
		return row{}, io.ErrUnexpectedEOF
	}
	data := make([]byte, 0, 32+14*dim)
	data = append(data, `{"id":`...)
	data = strconv.AppendUint(data, *f.number, 10)
	data = append(data, `,"vector":[`...)
	start := len(data) - 1
	for i := range dim {
		x := math.Float32frombits(binary.LittleEndian.Uint32(f.bytes[4*i:]))
		if x != x || math.IsInf(float64(x), 0) {
			return row{}, fmt.Errorf("component %d is not a finite number", i)
		}
		if i > 0 {
			data = append(data, ',')
		}
		data = strconv.AppendFloat(data, float64(x), 'g', -1, 32)
	}
	data = append(data, ']')
	end := len(data)
	*f.number++
	return row{json: append(data, '}'), vector: data[start:end]}, nil
}

package demo

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Dim is the number of components of every vector here.
const Dim = 100

//go:embed data
var files embed.FS

// Program is one row of the data set.
type Program struct {
	Name     string   `json:"name"`
	Summary  string   `json:"summary"`
	Section  string   `json:"section"`
	SizeKB   int64    `json:"size_kb"` // installed
	Priority string   `json:"priority"`
	Tags     []string `json:"tags"`

	Vector []float32 `json:"-"` // of unit length, up to rounding
}

// Programs returns the data set, in the order of the file.
func Programs() ([]Program, error) {
	lines, err := unpack("packages.jsonl")
	if err != nil {
		return nil, err
	}
	rows, err := vectors("packages.q8")
	if err != nil {
		return nil, err
	}
	programs := make([]Program, 0, len(rows))
	for dec := json.NewDecoder(bytes.NewReader(lines)); ; {
		var p Program
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("demo: program %d: %w", len(programs), err)
		}
		if len(programs) == len(rows) {
			return nil, fmt.Errorf("demo: more programs than the %d vectors", len(rows))
		}
		p.Vector = rows[len(programs)]
		programs = append(programs, p)
	}
	if len(programs) != len(rows) {
		return nil, fmt.Errorf("demo: %d programs, %d vectors", len(programs), len(rows))
	}
	return programs, nil
}

func unpack(name string) ([]byte, error) {
	packed, err := files.Open("data/" + name + ".gz")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer packed.Close()
	zr, err := gzip.NewReader(packed)
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", name, err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", name, err)
	}
	return data, nil
}

// vectors reads rows of a float32 scale and Dim int8.
func vectors(name string) ([][]float32, error) {
	data, err := unpack(name)
	if err != nil {
		return nil, err
	}
	const stride = 4 + Dim
	if len(data)%stride != 0 {
		return nil, fmt.Errorf("demo: %s: %d bytes are no whole number of rows", name, len(data))
	}
	rows := make([][]float32, 0, len(data)/stride)
	values := make([]float32, len(data)/stride*Dim)
	for ; len(data) > 0; data = data[stride:] {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(data))
		row := values[:Dim:Dim]
		values = values[Dim:]
		for i, b := range data[4:stride] {
			row[i] = scale * float32(int8(b))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

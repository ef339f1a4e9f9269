package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/binfmt"
)

// fieldDef is a payload index as it is stored: what the filter package needs, the user's own
// words for it, and whether the points that were there before are in it.
type fieldDef struct {
	def    filter.FieldDef
	params []byte
	ready  bool
	cursor []byte // next id key of the build, while !ready
}

func (f fieldDef) encode(w *binfmt.Writer) {
	w.String(f.def.Name)
	w.U8(uint8(f.def.Kind))
	w.U8(boolByte(f.def.FoldCase))
	w.LenBytes(f.params)
	w.U8(boolByte(f.ready))
	w.LenBytes(f.cursor)
}

func decodeFieldDef(r *binfmt.Reader) fieldDef {
	return fieldDef{
		def:    filter.FieldDef{Name: r.String(), Kind: filter.Kind(r.U8()), FoldCase: r.U8() != 0},
		params: append([]byte(nil), r.LenBytes()...), // none is nil again
		ready:  r.U8() != 0,
		cursor: slices.Clone(r.LenBytes()),
	}
}

func encodeSchema(w *binfmt.Writer, s Schema) {
	w.Uvarint(uint64(len(s.Vectors)))
	for _, name := range slices.Sorted(maps.Keys(s.Vectors)) {
		w.String(name)
		encodeVectorParams(w, s.Vectors[name])
	}
	w.Varint(s.IndexFromBytes)
	w.U8(boolByte(s.NoBackground))
	w.LenBytes(s.Config)
}

func decodeSchema(r *binfmt.Reader) Schema {
	s := Schema{Vectors: map[string]VectorParams{}}
	for range r.Uvarint() {
		name := r.String()
		s.Vectors[name] = decodeVectorParams(r)
		if r.Err() != nil {
			return s
		}
	}
	s.IndexFromBytes = r.Varint()
	s.NoBackground = r.U8() != 0
	s.Config = slices.Clone(r.LenBytes())
	return s
}

// Forms of vector parameters. What is of float32 is written in the first, which older versions read.
const (
	paramsFloat32  = 1
	paramsDatatype = 2 // ends with the datatype, which is another
)

func encodeVectorParams(w *binfmt.Writer, p VectorParams) {
	form := uint8(paramsFloat32)
	if p.Datatype != Float32 {
		form = paramsDatatype
	}
	w.U8(form)
	w.Uvarint(uint64(p.Size))
	w.U8(uint8(p.Distance))
	w.U8(boolByte(p.Flat) | boolByte(p.NoGraph)<<1 | boolByte(p.OnDisk)<<2)
	w.Uvarint(uint64(p.M))
	w.Uvarint(uint64(p.EfConstruct))
	w.Varint(p.FullScanBytes)
	w.U8(uint8(p.Codes.Kind))
	w.U8(uint8(p.Codes.Bits))
	w.U32(math.Float32bits(p.Codes.Quantile))
	w.U8(uint8(p.CodesPlacement))
	w.U8(uint8(p.LinksPlacement))
	if form == paramsDatatype {
		w.U8(uint8(p.Datatype))
	}
}

func decodeVectorParams(r *binfmt.Reader) VectorParams {
	form := r.U8()
	if r.Err() == nil && form != paramsFloat32 && form != paramsDatatype {
		r.Fail(fmt.Errorf("vector parameters of form %d are not known to this version", form))
		return VectorParams{}
	}
	p := VectorParams{Size: int(r.Uvarint()), Distance: Distance(r.U8())}
	flags := r.U8()
	p.Flat, p.NoGraph, p.OnDisk = flags&1 != 0, flags&2 != 0, flags&4 != 0
	p.M, p.EfConstruct = int(r.Uvarint()), int(r.Uvarint())
	p.FullScanBytes = r.Varint()
	p.Codes = CodeConfig{Kind: vectorindex.CodeKind(r.U8()), Bits: int(r.U8()), Quantile: math.Float32frombits(r.U32())}
	p.CodesPlacement, p.LinksPlacement = Placement(r.U8()), Placement(r.U8())
	if form == paramsDatatype {
		if p.Datatype = Datatype(r.U8()); r.Err() == nil && p.Datatype == Float32 {
			r.Fail(fmt.Errorf("vector parameters of form %d with datatype float32", form))
		}
	}
	if r.Err() == nil {
		if err := p.validate(); err != nil {
			r.Fail(err)
		}
	}
	return p
}

func encodeIndexDef(w *binfmt.Writer, d IndexDef) {
	w.String(d.Name)
	w.Uvarint(uint64(d.Database))
	w.Uvarint(uint64(len(d.Prefixes)))
	for _, p := range d.Prefixes {
		w.LenBytes(p)
	}
	w.Uvarint(uint64(len(d.Fields)))
	for _, f := range d.Fields {
		w.String(f.Source)
		w.String(f.Alias)
		w.U8(uint8(f.Type))
		w.U8(f.Separator)
		w.U8(boolByte(f.CaseSensitive) | boolByte(f.IndexEmpty)<<1 | boolByte(f.NoIndex)<<2)
		if f.Type == FieldVector {
			encodeVectorParams(w, f.Vector)
		}
		w.LenBytes(f.Options)
	}
	w.U8(boolByte(d.SkipScan))
	w.Varint(d.Created.UnixMilli())
	w.LenBytes(d.Options)
}

func decodeIndexDef(r *binfmt.Reader) IndexDef {
	d := IndexDef{Name: r.String(), Database: int(r.Uvarint())}
	if d.Database < 0 || d.Database >= maxDatabases {
		r.Fail(fmt.Errorf("database %d", d.Database))
		return d
	}
	for range r.Uvarint() {
		if d.Prefixes = append(d.Prefixes, slices.Clone(r.LenBytes())); r.Err() != nil {
			return d
		}
	}
	for range r.Uvarint() {
		f := IndexField{Source: r.String(), Alias: r.String(), Type: FieldType(r.U8()), Separator: r.U8()}
		flags := r.U8()
		f.CaseSensitive, f.IndexEmpty, f.NoIndex = flags&1 != 0, flags&2 != 0, flags&4 != 0
		if f.Type == FieldVector {
			f.Vector = decodeVectorParams(r)
		}
		f.Options = slices.Clone(r.LenBytes())
		if d.Fields = append(d.Fields, f); r.Err() != nil {
			return d
		}
	}
	d.SkipScan = r.U8() != 0
	d.Created = time.UnixMilli(r.Varint())
	d.Options = slices.Clone(r.LenBytes())
	return d
}

func appendFloats(dst []byte, v []float32) []byte {
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

func decodeFloats(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[i*4:]))
	}
	return v
}

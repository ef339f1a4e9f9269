package filter

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/isobath/isobath/payload"
)

// Kind is the type of a payload index.
type Kind uint8

// The kinds of payload indexes. Numbers are on disk. Geo and Text keep no values yet: they answer
// IsEmpty and IsNull, everything else is evaluated.
const (
	Keyword Kind = iota + 1
	Integer
	Float
	Bool
	Datetime
	UUID
	Geo
	Text
)

// FieldDef describes a payload index.
type FieldDef struct {
	Name     string // as conditions name it: a JSON path, or an alias
	Kind     Kind
	FoldCase bool   // Keyword: values and queries are compared by Fold
	Building bool   // not complete yet: Resolve does not use it until Editor.SetReady
	Options  []byte // opaque, kept for the caller
}

func (d FieldDef) equal(o FieldDef) bool {
	return d.Name == o.Name && d.Kind == o.Kind && d.FoldCase == o.FoldCase && d.Building == o.Building &&
		bytes.Equal(d.Options, o.Options)
}

// Values are what the index of one field keeps of one slot. Which lists count depends on the kind:
// Keywords for Keyword and UUID; Ints and Floats for Integer and Float; Ints, in microseconds, for
// Datetime; Bools for Bool.
type Values struct {
	Keywords []string
	Ints     []int64
	Floats   []float64
	Bools    []bool

	Other    bool // there is a non-null value that the lists cannot hold
	Null     bool // there is a null, or an array that holds one
	NonEmpty bool // present, and neither null nor an empty array; implied by any value and by Other
}

// Extract reads the index values of one payload.
func Extract(def FieldDef, doc []byte) Values {
	var vs Values
	path, err := payload.ParsePath(def.Name)
	if err != nil || len(doc) == 0 {
		return vs
	}
	path.Each(doc, func(v payload.Value) bool {
		if v.Kind != payload.Array {
			vs.take(def.Kind, v)
			vs.NonEmpty = vs.NonEmpty || v.Kind != payload.Null
			return true
		}
		v.EachElem(func(e payload.Value) bool {
			vs.take(def.Kind, e)
			vs.NonEmpty = true
			return true
		})
		return true
	})
	return vs
}

// take files one scalar or element under its type.
func (vs *Values) take(k Kind, v payload.Value) {
	if v.Kind == payload.Null {
		vs.Null = true
		return
	}
	switch {
	case k == Keyword && v.Kind == payload.String:
		vs.Keywords = append(vs.Keywords, v.Str())
		return
	case k == UUID && v.Kind == payload.String:
		if _, ok := parseUUID(v.Str()); ok {
			vs.Keywords = append(vs.Keywords, v.Str())
			return
		}
	case k == Bool && v.Kind == payload.Bool:
		vs.Bools = append(vs.Bools, v.Bool())
		return
	case k == Datetime && v.Kind == payload.String:
		if t, ok := ParseTime(v.Str()); ok {
			vs.Ints = append(vs.Ints, t)
			return
		}
	case (k == Integer || k == Float) && (v.Kind == payload.Int || v.Kind == payload.Float):
		vs.takeNumber(v)
		return
	}
	vs.Other = true
}

func (vs *Values) takeNumber(v payload.Value) {
	if i, ok := v.Int64(); ok && v.Kind == payload.Int {
		vs.Ints = append(vs.Ints, i)
		return
	}
	vs.Floats = append(vs.Floats, v.Float64())
}

// Sections of a field's keys. Numbers are on disk.
const (
	secChanged byte = 0 // slots whose values below this table are void
	secPresent byte = 1 // slots with a value in some section below
	secExtra   byte = 2 // slots that are not empty, yet not in secPresent
	secOther   byte = 3
	secNull    byte = 4
	secMulti   byte = 5 // slots with two or more different values
	secBool    byte = 16
	secInt     byte = 17
	secFloat   byte = 18
	secString  byte = 19
	secUUID    byte = 20
	secEnd     byte = 255
)

// allFields is the field number under which secChanged voids a slot in every field.
const allFields = 0

const sectionLen = 5

// appendSection appends the first bytes of every key of a section.
func appendSection(dst []byte, field uint32, section byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, field), section)
}

func sectionKey(field uint32, section byte) string {
	return string(appendSection(make([]byte, 0, sectionLen), field, section))
}

func keyField(key []byte) uint32 { return binary.BigEndian.Uint32(key) }

// eachKey calls fn with the key of every value of vs, repeated values included; key is borrowed.
func (d FieldDef) eachKey(field uint32, vs Values, buf []byte, fn func(key []byte)) {
	switch d.Kind {
	case Keyword:
		for _, s := range vs.Keywords {
			buf = append(appendSection(buf[:0], field, secString), d.normal(s)...)
			fn(buf)
		}
	case UUID:
		for _, s := range vs.Keywords {
			if u, ok := parseUUID(s); ok {
				fn(append(appendSection(buf[:0], field, secUUID), u[:]...))
			}
		}
	case Integer, Float, Datetime:
		for _, i := range vs.Ints {
			fn(appendInt(appendSection(buf[:0], field, secInt), i))
		}
		if d.Kind == Datetime {
			return
		}
		for _, f := range vs.Floats {
			if !math.IsNaN(f) {
				fn(appendFloat(appendSection(buf[:0], field, secFloat), f))
			}
		}
	case Bool:
		for _, b := range vs.Bools {
			fn(append(appendSection(buf[:0], field, secBool), boolByte(b)))
		}
	}
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// flags returns the sections besides the values that a slot belongs to.
func (vs Values) flags(distinct int) []byte {
	out := make([]byte, 0, 4)
	other := vs.Other || slices.ContainsFunc(vs.Floats, math.IsNaN)
	switch {
	case distinct > 0:
		out = append(out, secPresent)
	case vs.NonEmpty || other:
		out = append(out, secExtra)
	}
	if distinct > 1 {
		out = append(out, secMulti)
	}
	if other {
		out = append(out, secOther)
	}
	if vs.Null {
		out = append(out, secNull)
	}
	return out
}

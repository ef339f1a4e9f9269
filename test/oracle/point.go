package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Payload is the top level of a payload: field -> JSON text without white space.
type Payload map[string]string

// ParsePayload reads a JSON object.
func ParsePayload(doc []byte) (Payload, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(doc, &fields); err != nil {
		return nil, fmt.Errorf("oracle: payload: %w", err)
	}
	p := Payload{}
	for name, raw := range fields {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, fmt.Errorf("oracle: payload: %w", err)
		}
		p[name] = b.String()
	}
	return p, nil
}

// JSON returns the payload as an object.
func (p Payload) JSON() []byte {
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(p)) {
		if i > 0 {
			b = append(b, ',')
		}
		quoted, _ := json.Marshal(name)
		b = append(append(append(b, quoted...), ':'), p[name]...)
	}
	return append(b, '}')
}

// With returns p with other's fields set; "null" removes one.
func (p Payload) With(other Payload) Payload {
	merged := maps.Clone(p)
	if merged == nil {
		merged = Payload{}
	}
	for name, value := range other {
		if value == "null" {
			delete(merged, name)
		} else {
			merged[name] = value
		}
	}
	return merged
}

// Without returns p without some fields.
func (p Payload) Without(names ...string) Payload {
	rest := maps.Clone(p)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

// Point is what a collection holds for an ID. It is never modified: changes make a new one.
type Point struct {
	Vectors map[string][]float32 // as stored
	Payload Payload
}

// Equal compares payloads by text and vectors by bits.
func (p Point) Equal(o Point) bool {
	return maps.Equal(p.Payload, o.Payload) && maps.EqualFunc(p.Vectors, o.Vectors, sameBits)
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// Hash is what a key holds: fields, or the value of a string under "".
type Hash map[string]string

// Equal compares all fields.
func (h Hash) Equal(o Hash) bool { return maps.Equal(h, o) }

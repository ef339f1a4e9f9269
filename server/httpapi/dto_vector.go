package httpapi

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
)

// vectorsBody is the vector of a point: an array for the unnamed vector, or an object by name.
type vectorsBody struct{ named engine.Vectors }

func (b *vectorsBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '[':
		v, err := readDense(dec)
		b.named = engine.Vectors{"": v}
		return err
	case '{':
		b.named = engine.Vectors{}
		return readObject(dec, func(name string) error {
			switch dec.PeekKind() {
			case '[':
				v, err := readDense(dec)
				b.named[name] = v
				return err
			case '{':
				return unsupported("sparse vectors and inference objects are")
			case '"':
				if isInference(name) {
					return unsupported("inference is")
				}
			}
			return mismatch(dec, "vector "+name, "a sequence of numbers")
		})
	}
	return mismatch(dec, "", "a vector or vectors by name")
}

func isInference(name string) bool {
	return name == "text" || name == "image" || name == "object" || name == "model" || name == "options"
}

// readDense reads an array of numbers.
func readDense(dec *jsontext.Decoder) ([]float32, error) {
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if i := skipSpace(raw, 1); i < len(raw) && raw[i] == '[' {
		return nil, unsupported("multivectors are")
	}
	return parseFloats(raw, make([]float32, 0, bytes.Count(raw, []byte{','})+1))
}

// readObject calls member with the name of every member, which must read its value.
func readObject(dec *jsontext.Decoder, member func(name string) error) error {
	if dec.PeekKind() != '{' {
		return mismatch(dec, "", "a map")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// readArray calls element for every element, which must read it.
func readArray(dec *jsontext.Decoder, element func() error) error {
	if dec.PeekKind() != '[' {
		return mismatch(dec, "", "a sequence")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// mismatch is the error for a value of the wrong type; what may name it further.
func mismatch(dec *jsontext.Decoder, what, want string) error {
	kind := dec.PeekKind()
	if kind == 0 { // the text itself is broken: let the decoder say how
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("invalid type: %s, expected %s", kindName(kind), want)
	if what != "" {
		text = what + ": " + text
	}
	return errors.New(text)
}

// check looks at what the form of vectors leaves open, of the i-th point of the list below at.
func (b *vectorsBody) check(v *violations, at string, i int) {
	for _, vec := range b.named {
		if len(vec) == 0 {
			v.add(fmt.Sprintf("%spoints[%d].vector", at, i), "Validation error: dense vector must not be empty [{}]")
		}
	}
}

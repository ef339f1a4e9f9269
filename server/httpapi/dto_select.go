package httpapi

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/payload"
)

// payloadSelect is with_payload: a boolean, a list of paths, or {include} or {exclude}.
type payloadSelect struct {
	set, all         bool
	include, exclude []payload.Path
}

func (p *payloadSelect) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case 't', 'f':
		p.set = true
		return json.UnmarshalDecode(dec, &p.all)
	case '[':
		p.set = true
		return readPaths(dec, &p.include)
	case '{':
		p.set = true
		err := readObject(dec, func(name string) error {
			switch name {
			case "include":
				return readPaths(dec, &p.include)
			case "exclude":
				return readPaths(dec, &p.exclude)
			}
			return formatError("with_payload: unknown field `%s`, expected `include` or `exclude`", clip(name))
		})
		if err == nil && (p.include == nil) == (p.exclude == nil) {
			err = formatError("with_payload: exactly one of `include` and `exclude` is expected")
		}
		return err
	}
	return mismatch(dec, "", "a boolean, a list of paths or a map")
}

// readPaths reads a list of paths; the result is not nil.
func readPaths(dec *jsontext.Decoder, list *[]payload.Path) error {
	*list = []payload.Path{}
	return readArray(dec, func() error {
		var text string
		if dec.PeekKind() != '"' {
			return mismatch(dec, "", "a path")
		}
		if err := json.UnmarshalDecode(dec, &text); err != nil {
			return err
		}
		p, err := parsePath(text)
		*list = append(*list, p)
		return err
	})
}

// vectorSelect is with_vector: a boolean or a list of names.
type vectorSelect struct {
	set, all bool
	names    []string
}

func (s *vectorSelect) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case 't', 'f':
		s.set = true
		return json.UnmarshalDecode(dec, &s.all)
	case '[':
		s.set = true
		s.names = []string{}
		return readArray(dec, func() error {
			if dec.PeekKind() != '"' {
				return mismatch(dec, "", "the name of a vector")
			}
			name, err := dec.ReadToken()
			s.names = append(s.names, name.String())
			return err
		})
	}
	return mismatch(dec, "", "a boolean or a list of names")
}

// fetchOf joins both selectors; payload says what an absent with_payload means.
func fetchOf(p payloadSelect, payloadDefault bool, v, v2 vectorSelect) engine.Fetch {
	if !v.set {
		v = v2
	}
	f := engine.Fetch{Payload: payloadDefault, Include: p.include, Exclude: p.exclude}
	if p.set {
		f.Payload = p.all || p.include != nil || p.exclude != nil
	}
	f.Vectors = v.all || v.names != nil
	f.VectorNames = v.names
	return f
}

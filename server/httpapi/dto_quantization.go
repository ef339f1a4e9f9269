package httpapi

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
)

// quantizationBody is one of four objects, kept as it was sent.
type quantizationBody struct{ raw jsontext.Value }

func (q *quantizationBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' { // "Disabled"
		word, err := dec.ReadToken()
		if err == nil && word.String() != "Disabled" {
			err = errors.New("a quantization or \"Disabled\" is expected")
		}
		return err
	}
	if dec.PeekKind() != '{' {
		return mismatch(dec, "", "a map")
	}
	raw, err := dec.ReadValue()
	q.raw = raw.Clone()
	return err
}

func (q quantizationBody) MarshalJSONTo(enc *jsontext.Encoder) error {
	if q.raw == nil {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteValue(q.raw)
}

// given says whether there is one: neither absent nor "Disabled".
func (q *quantizationBody) given() bool { return q != nil && q.raw != nil }

// quantization is the content of a quantizationBody: one of them is there.
type quantization struct {
	Scalar  *scalarQuantization  `json:"scalar"`
	Product *productQuantization `json:"product"`
	Binary  *binaryQuantization  `json:"binary"`
	Turbo   *turboQuantization   `json:"turbo"`
}

// parse reads and checks what is given.
func (q *quantizationBody) parse(v *violations, at string) (kinds quantization, err error) {
	if err := json.Unmarshal(q.raw, &kinds, bodyOptions); err != nil {
		return kinds, formatError("%s: %s", at, describe(err))
	}
	switch {
	case kinds.Scalar != nil:
		if kinds.Scalar.Type == nil {
			return kinds, formatError("%s.scalar: missing field `type`", at)
		}
		between(v, at+".scalar.quantile", kinds.Scalar.Quantile, 0.5, 1)
	case kinds.Product != nil:
		if kinds.Product.Compression == nil {
			return kinds, formatError("%s.product: missing field `compression`", at)
		}
	case kinds.Binary == nil && kinds.Turbo == nil:
		return kinds, formatError("%s: data did not match any variant of untagged enum QuantizationConfig", at)
	}
	return kinds, nil
}

// check validates the one object that is expected.
func (q *quantizationBody) check(v *violations, at string) error {
	if !q.given() {
		return nil
	}
	_, err := q.parse(v, at)
	return err
}

// codes is what the engine makes of a quantization.
type codes struct {
	config    engine.CodeConfig
	placement engine.Placement
	instead   string // what is used in place of what was asked for, "" where that is done
}

// codes returns the codes of a vector. Kinds that the engine does not have, and those that do not go with the
// distance, give automatic ones. q was checked.
func (q *quantizationBody) codes(d engine.Distance, onDisk bool) (c codes) {
	if !q.given() {
		return c
	}
	kinds, err := q.parse(&violations{}, "")
	if err != nil {
		return c
	}
	var where placement
	switch {
	case kinds.Scalar != nil:
		where, c.config.Kind = kinds.Scalar.placement, engine.CodesScalar
		if p := kinds.Scalar.Quantile; p != nil {
			c.config.Quantile = float32(*p)
		}
	case kinds.Product != nil:
		where, c.instead = kinds.Product.placement, "product codes are not available: automatic codes are used"
	case kinds.Binary != nil:
		where, c.instead = kinds.Binary.placement, "binary codes are not available: automatic codes are used"
	case d == engine.Manhattan:
		where, c.instead = kinds.Turbo.placement, "turbo codes do not go with Manhattan: automatic codes are used"
	default:
		where, c.config = kinds.Turbo.placement, engine.CodeConfig{Kind: engine.CodesTurbo, Bits: 4}
		if b := kinds.Turbo.Bits; b != nil {
			c.config.Bits = turboBits{}.bits(b.text)
			if b.text == "bits1_5" {
				c.instead = "turbo codes of 1.5 bits are not available: codes of 2 bits are used"
			}
		}
	}
	c.placement = where.place(onDisk)
	return c
}

type placement struct {
	AlwaysRAM *bool   `json:"always_ram"`
	Memory    *memory `json:"memory"`
}

// place returns where codes are read from. always_ram: false leaves them where the vectors are.
func (p placement) place(onDisk bool) engine.Placement {
	otherwise := engine.PlaceAuto
	switch {
	case p.AlwaysRAM == nil:
	case *p.AlwaysRAM:
		otherwise = engine.PlaceMemory
	case onDisk:
		otherwise = engine.PlaceMapped
	}
	return place(p.Memory, otherwise)
}

type scalarQuantization struct {
	placement `json:",inline"`
	Type      *word[scalarType] `json:"type"`
	Quantile  *float64          `json:"quantile"`
}

type productQuantization struct {
	placement   `json:",inline"`
	Compression *word[compression] `json:"compression"`
}

type binaryQuantization struct {
	placement     `json:",inline"`
	Encoding      *word[binaryEncoding] `json:"encoding"`
	QueryEncoding *word[queryEncoding]  `json:"query_encoding"`
}

type turboQuantization struct {
	placement `json:",inline"`
	Bits      *word[turboBits] `json:"bits"`
}

type (
	scalarType     struct{}
	compression    struct{}
	binaryEncoding struct{}
	queryEncoding  struct{}
	turboBits      struct{}
)

func (scalarType) words() []string     { return []string{"int8"} }
func (compression) words() []string    { return []string{"x4", "x8", "x16", "x32", "x64"} }
func (binaryEncoding) words() []string { return []string{"one_bit", "two_bits", "one_and_half_bits"} }
func (queryEncoding) words() []string {
	return []string{"default", "binary", "scalar4bits", "scalar8bits"}
}
func (turboBits) words() []string { return []string{"bits1", "bits1_5", "bits2", "bits4"} }

// bits returns the bits of a component under a word.
func (turboBits) bits(word string) int {
	switch word {
	case "bits1":
		return 1
	case "bits1_5", "bits2":
		return 2
	}
	return 4
}

package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/distance"
)

// Bounds of a schema.
const (
	maxVectorSize = 65536
	maxM          = hnsw.MaxM
	maxEf         = 1 << 20
	maxVectors    = 256
	maxNameBytes  = 255
	maxDatabases  = 256
)

func (p VectorParams) validate() error {
	switch {
	case p.Size < 1 || p.Size > maxVectorSize:
		return &InputError{fmt.Sprintf("vector size %d is not from 1 to %d", p.Size, maxVectorSize)}
	case p.Distance < Cosine || p.Distance > Manhattan:
		return &InputError{fmt.Sprintf("unknown distance %d", p.Distance)}
	case p.Datatype > Uint8:
		return &InputError{fmt.Sprintf("unknown datatype %d", p.Datatype)}
	case p.Datatype == Uint8 && p.Distance == Cosine: // rows are normalised: nothing but 0 and 1 would be left
		return &InputError{"datatype uint8 is not possible under Cosine"}
	case p.M < 0 || p.M > maxM:
		return &InputError{fmt.Sprintf("M %d is not from 0 to %d", p.M, maxM)}
	case p.EfConstruct < 0 || p.EfConstruct > maxEf:
		return &InputError{fmt.Sprintf("ef_construct %d is not from 0 to %d", p.EfConstruct, maxEf)}
	case max(p.CodesPlacement, p.LinksPlacement) > PlaceMapped:
		return &InputError{fmt.Sprintf("unknown placement %d", max(p.CodesPlacement, p.LinksPlacement))}
	}
	return p.validateCodes()
}

// validateCodes refuses settings that their kind of codes does not have.
func (p VectorParams) validateCodes() error {
	c := p.Codes
	switch c.Kind {
	case CodesAuto:
	case CodesScalar:
		if c.Quantile != 0 && !(c.Quantile >= 0.5 && c.Quantile <= 1) {
			return &InputError{fmt.Sprintf("quantile %v is not from 0.5 to 1", c.Quantile)}
		}
	case CodesTurbo:
		if c.Bits != 1 && c.Bits != 2 && c.Bits != 4 {
			return &InputError{fmt.Sprintf("codes of %d bits, must be 1, 2 or 4", c.Bits)}
		}
		if p.Distance == Manhattan { // no rotation preserves it
			return &InputError{"turbo codes are not possible under Manhattan"}
		}
	default:
		return &InputError{fmt.Sprintf("unknown kind of codes %d", c.Kind)}
	}
	if c.Kind != CodesScalar && c.Quantile != 0 || c.Kind != CodesTurbo && c.Bits != 0 {
		return &InputError{"quantile is of scalar codes, bits are of turbo codes"}
	}
	return nil
}

// checkChange refuses what cannot change in the schema of a collection: its vectors, and of these size,
// distance, datatype and flatness.
func (s Schema) checkChange(to Schema) error {
	if len(s.Vectors) != len(to.Vectors) {
		return &InputError{fmt.Sprintf("%d named vectors cannot become %d", len(s.Vectors), len(to.Vectors))}
	}
	for name, p := range s.Vectors {
		q, ok := to.Vectors[name]
		switch {
		case !ok:
			return &VectorNameError{name}
		case p.Size != q.Size || p.Distance != q.Distance || p.Datatype != q.Datatype || p.Flat != q.Flat:
			return &InputError{fmt.Sprintf("size, distance, datatype and flatness of vector %q cannot change", name)}
		}
	}
	return to.validate()
}

// links returns M for the graph, 0 for its default. A graph whose nodes have one link falls
// apart, so one means two.
func (p VectorParams) links() int {
	if p.M == 1 {
		return 2
	}
	return p.M
}

func (s Schema) validate() error {
	if len(s.Vectors) > maxVectors {
		return fmt.Errorf("%w: %d named vectors, at most %d", ErrLimit, len(s.Vectors), maxVectors)
	}
	for name, p := range s.Vectors {
		if err := p.validate(); err != nil {
			return fmt.Errorf("vector %q: %w", name, err)
		}
	}
	return nil
}

// checkVector makes sure that v fits the named vector: its size, and every component finite, as it is stored too.
func (s Schema) checkVector(name string, v []float32) error {
	p, ok := s.Vectors[name]
	if !ok {
		return &VectorNameError{name}
	}
	if len(v) != p.Size {
		return &DimensionError{Name: name, Want: p.Size, Got: len(v)}
	}
	if i := firstNotFinite(v); i >= 0 {
		return &InputError{fmt.Sprintf("vector component [%d] is not a finite number", i)}
	}
	if p.Datatype == Float16 && p.Distance != Cosine { // normalised ones are small
		if i := slices.IndexFunc(v, beyondFloat16); i >= 0 {
			return &InputError{fmt.Sprintf("vector component [%d] is beyond float16, at most %d", i, mmapvec.MaxFloat16)}
		}
	}
	return nil
}

// firstNotFinite returns the index of the first component that is no finite number, -1 where there is none.
func firstNotFinite(v []float32) int {
	square := float64(distance.Dot.Distance(v, v))
	if !math.IsNaN(square) && !math.IsInf(square, 0) {
		return -1 // any such component would have made it so; huge ones do too
	}
	return slices.IndexFunc(v, notFinite)
}

func notFinite(x float32) bool {
	return math.Float32bits(x)&0x7f800000 == 0x7f800000 // exponent all ones: Inf or NaN
}

func beyondFloat16(x float32) bool { return x > mmapvec.MaxFloat16 || x < -mmapvec.MaxFloat16 }

// stored returns the form in which v is kept: normalised in place under Cosine, and rounded to the datatype.
func (p VectorParams) stored(v []float32) []float32 {
	if p.Distance == Cosine {
		distance.Normalize(v)
	}
	p.Datatype.Round(v)
	return v
}

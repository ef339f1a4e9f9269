package filter

import (
	"fmt"
	"math"

	"github.com/isobath/isobath/payload"
)

// Limits of an expression.
const (
	MaxDepth      = 1000
	MaxConditions = 10_000
)

// ExprError is returned by Check and Compile for an expression that a client got wrong.
type ExprError struct{ Reason string }

func (e *ExprError) Error() string { return "filter: " + e.Reason }

func exprErrorf(format string, args ...any) error {
	return &ExprError{Reason: fmt.Sprintf(format, args...)}
}

// Check reports what is wrong with an expression over JSON payloads: too deep, too many conditions,
// bad paths, coordinates, rings or slices. It returns a *ExprError.
func Check(e Expr) error {
	c := checker{}
	return c.check(e, 1)
}

type checker struct{ conditions int }

func (c *checker) check(e Expr, depth int) error {
	if depth > MaxDepth {
		return exprErrorf("more than %d levels of conditions", MaxDepth)
	}
	if c.conditions++; c.conditions > MaxConditions {
		return exprErrorf("more than %d conditions", MaxConditions)
	}
	switch e := e.(type) {
	case nil:
		return exprErrorf("missing condition")
	case And:
		return c.checkAll(e.Exprs, depth)
	case Or:
		return c.checkAll(e.Exprs, depth)
	case Not:
		return c.check(e.Expr, depth+1)
	case MinShould:
		return c.checkAll(e.Exprs, depth)
	case Nested:
		if err := checkPath(e.Path); err != nil {
			return err
		}
		return c.check(e.Expr, depth+1)
	case All, HasID, HasVector:
		return nil
	case Slice:
		if e.Total == 0 || e.Index >= e.Total {
			return exprErrorf("slice index %d of %d", e.Index, e.Total)
		}
		return nil
	}
	if err := checkPath(fieldOf(e)); err != nil {
		return err
	}
	return checkGeo(e)
}

func (c *checker) checkAll(es []Expr, depth int) error {
	for _, e := range es {
		if err := c.check(e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func checkPath(s string) error {
	if _, err := payload.ParsePath(s); err != nil {
		return &ExprError{Reason: err.Error()}
	}
	return nil
}

// fieldOf returns the field of a field condition.
func fieldOf(e Expr) string {
	switch e := e.(type) {
	case Match:
		return e.Field
	case MatchAny:
		return e.Field
	case MatchExcept:
		return e.Field
	case MatchText:
		return e.Field
	case MatchTextAny:
		return e.Field
	case MatchPhrase:
		return e.Field
	case Prefix:
		return e.Field
	case Range:
		return e.Field
	case TimeRange:
		return e.Field
	case GeoRadius:
		return e.Field
	case GeoBox:
		return e.Field
	case GeoPolygon:
		return e.Field
	case ValuesCount:
		return e.Field
	case IsEmpty:
		return e.Field
	case IsNull:
		return e.Field
	case uuidMatch:
		return e.field
	}
	return ""
}

func checkGeo(e Expr) error {
	switch e := e.(type) {
	case GeoRadius:
		if !(e.Radius >= 0) || math.IsInf(e.Radius, 0) {
			return exprErrorf("radius %v of a geo condition", e.Radius)
		}
		return checkPoint(e.Center)
	case GeoBox:
		if err := checkPoint(e.TopLeft); err != nil {
			return err
		}
		return checkPoint(e.BottomRight)
	case GeoPolygon:
		for _, ring := range append([][]GeoPoint{e.Exterior}, e.Interiors...) {
			if err := checkRing(ring); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPoint(p GeoPoint) error {
	if !validPoint(p) {
		return exprErrorf("no such place: longitude %v, latitude %v", p.Lon, p.Lat)
	}
	return nil
}

func checkRing(ring []GeoPoint) error {
	if len(ring) < 4 {
		return exprErrorf("a polygon ring has at least 4 points, not %d", len(ring))
	}
	if ring[0] != ring[len(ring)-1] {
		return exprErrorf("the first and last point of a polygon ring must be equal")
	}
	for _, p := range ring {
		if err := checkPoint(p); err != nil {
			return err
		}
	}
	return nil
}

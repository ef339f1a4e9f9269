package filter

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// indexed is a field that a resolver may use.
type indexed struct {
	*resolver
	field
}

// field resolves a condition on one field.
func (r *resolver) field(e Expr) (answer, error) {
	f, ok := r.s.fields[fieldOf(e)]
	if !ok || f.def.Building {
		return answer{residual: e}, nil
	}
	x := indexed{r, f}
	switch e := e.(type) {
	case Match:
		return x.matchAny(e, []Value{e.Value})
	case MatchAny:
		return x.matchAny(e, e.Values)
	case MatchExcept:
		return x.except(e)
	case Prefix:
		if f.def.Kind == Keyword {
			return x.exactly(x.prefix(e.Prefix))
		}
		return x.among(e, secPresent, secOther)
	case Range:
		if f.def.Kind == Integer || f.def.Kind == Float {
			return x.exactly(floatRanges(f.id, e)...)
		}
		return x.among(e, secOther)
	case TimeRange:
		if f.def.Kind == Datetime {
			return x.exactly(timeRanges(f.id, e)...)
		}
		return x.among(e, secPresent, secOther)
	case MatchText, MatchTextAny, MatchPhrase:
		if f.def.Kind == Keyword {
			return x.among(e, secPresent)
		}
		return x.among(e, secPresent, secOther)
	case GeoRadius, GeoBox, GeoPolygon:
		return x.among(e, secOther)
	case IsEmpty:
		a, err := x.exactly(sectionRange(f.id, secPresent), sectionRange(f.id, secExtra))
		return answer{set: r.complement(a.set)}, err
	case IsNull:
		return x.exactly(sectionRange(f.id, secNull))
	}
	return answer{residual: e}, nil
}

// exactly answers with the slots of key ranges.
func (x indexed) exactly(ranges ...keyRange) (answer, error) {
	set, err := x.s.lookup(x.id, ranges...)
	if err != nil {
		return answer{}, err
	}
	return answer{set: set}, nil
}

// among leaves e to evaluation on the slots of whole sections.
func (x indexed) among(e Expr, sections ...byte) (answer, error) {
	ranges := make([]keyRange, len(sections))
	for i, sec := range sections {
		ranges[i] = sectionRange(x.id, sec)
	}
	a, err := x.exactly(ranges...)
	a.residual = e
	return a, err
}

// keyOf returns where slots with a value are found. If that is not exact, it is a superset.
func (x indexed) keyOf(v Value) (r keyRange, exact bool) {
	point := func(key []byte) keyRange { return keyRange{lo: string(key)} }
	switch k := x.def.Kind; {
	case k == Keyword && v.kind == StringKind:
		return point(append(appendSection(nil, x.id, secString), x.def.normal(v.str)...)), true
	case k == UUID && v.kind == StringKind:
		if u, ok := parseUUID(v.str); ok {
			return point(append(appendSection(nil, x.id, secUUID), u[:]...)), true
		}
	case (k == Integer || k == Float) && v.kind == IntKind:
		return keyRange{lo: intKey(x.id, v.Int())}, true
	case (k == Integer || k == Float) && v.kind == UintKind:
		return keyRange{lo: floatKey(x.id, float64(v.num))}, false
	case k == Bool && v.kind == BoolKind:
		return point(append(appendSection(nil, x.id, secBool), boolByte(v.Bool()))), true
	case k == Datetime && v.kind == StringKind:
		if t, ok := ParseTime(v.str); ok {
			return keyRange{lo: intKey(x.id, t)}, false
		}
	}
	return sectionRange(x.id, secOther), false
}

func (x indexed) matchAny(e Expr, values []Value) (answer, error) {
	ranges := make([]keyRange, 0, len(values))
	all := true
	for _, v := range values {
		r, exact := x.keyOf(v)
		all = all && exact
		ranges = append(ranges, r)
	}
	a, err := x.exactly(dedupe(ranges)...)
	if !all {
		a.residual = e
	}
	return a, err
}

func dedupe(points []keyRange) []keyRange {
	slices.SortFunc(points, func(a, b keyRange) int {
		if a.lo < b.lo {
			return -1
		}
		if a.lo > b.lo {
			return 1
		}
		return 0
	})
	return slices.Compact(points)
}

// except finds the slots with some value outside the list. A slot with one value is found as
// present without matching the list; for those with several, the other values are looked up.
func (x indexed) except(e MatchExcept) (answer, error) {
	var list []keyRange
	for _, v := range e.Values {
		r, exact := x.keyOf(v)
		if !exact {
			return x.among(e, secPresent, secOther)
		}
		list = append(list, r)
	}
	if x.def.Kind == Datetime || x.def.Kind == Geo || x.def.Kind == Text {
		return x.among(e, secPresent, secOther)
	}
	list = dedupe(list)
	sets := make([]*roaring.Bitmap, 4)
	for i, ranges := range [][]keyRange{
		{sectionRange(x.id, secPresent)}, {sectionRange(x.id, secOther)}, list, {sectionRange(x.id, secMulti)},
	} {
		set, err := x.s.lookup(x.id, ranges...)
		if err != nil {
			return answer{}, err
		}
		sets[i] = set
	}
	present, other, hit, multi := sets[0], sets[1], sets[2], sets[3]
	out := roaring.Or(roaring.AndNot(present, hit), other)
	doubtful := roaring.And(hit, multi)
	switch {
	case doubtful.IsEmpty():
	case len(list) == 1:
		out.Or(doubtful)
	default:
		rest, err := x.s.lookup(x.id, x.gaps(list)...)
		if err != nil {
			return answer{}, err
		}
		out.Or(rest)
	}
	return answer{set: out}, nil
}

// gaps returns the ranges of value keys between sorted points.
func (x indexed) gaps(points []keyRange) []keyRange {
	var out []keyRange
	lo := sectionKey(x.id, secBool)
	for _, p := range points {
		if lo < p.lo {
			out = append(out, keyRange{lo: lo, hi: p.lo})
		}
		lo = after(p.lo)
	}
	return append(out, keyRange{lo: lo, hi: sectionKey(x.id, secEnd)})
}

// prefix returns the keys of the keywords that begin with p.
func (x indexed) prefix(p string) keyRange {
	lo := appendSection(nil, x.id, secString)
	lo = append(lo, x.def.normal(p)...)
	hi := slices.Clone(lo)
	for hi[len(hi)-1] == 0xff {
		hi = hi[:len(hi)-1]
	}
	hi[len(hi)-1]++ // the section is below 0xff
	return keyRange{lo: string(lo), hi: string(hi)}
}

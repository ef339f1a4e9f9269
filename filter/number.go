package filter

import (
	"encoding/binary"
	"math"
)

// appendInt appends 8 bytes that sort as the number does.
func appendInt(dst []byte, i int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(i)^(1<<63))
}

// appendFloat appends 8 bytes that sort as the number does; -0 is 0. No NaN.
func appendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		f = 0
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		b = ^b
	} else {
		b |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(dst, b)
}

// keyRange is a half-open range of keys; an empty hi means lo alone.
type keyRange struct{ lo, hi string }

// after returns the least key greater than key.
func after(key string) string { return key + "\x00" }

// floatRanges returns the keys of a field's numbers within bounds: integers compare as float64.
func floatRanges(field uint32, r Range) []keyRange {
	lo, hi := math.Inf(-1), math.Inf(1)
	loOpen, hiOpen := false, false
	raise := func(b *float64, open bool) {
		if b != nil && (*b > lo || *b == lo && open) {
			lo, loOpen = *b, open
		}
	}
	lower := func(b *float64, open bool) {
		if b != nil && (*b < hi || *b == hi && open) {
			hi, hiOpen = *b, open
		}
	}
	for _, b := range []*float64{r.Lt, r.Lte, r.Gt, r.Gte} {
		if b != nil && math.IsNaN(*b) {
			return nil
		}
	}
	raise(r.Gte, false)
	raise(r.Gt, true)
	lower(r.Lte, false)
	lower(r.Lt, true)
	if lo > hi || lo == hi && (loOpen || hiOpen) {
		return nil
	}
	f := keyRange{lo: floatKey(field, lo), hi: floatKey(field, hi)}
	if loOpen {
		f.lo = after(f.lo)
	}
	if !hiOpen {
		f.hi = after(f.hi)
	}
	out := []keyRange{f}
	above := func(i int64) bool { return float64(i) > lo || !loOpen && float64(i) == lo }
	beyond := func(i int64) bool { return float64(i) > hi || hiOpen && float64(i) == hi }
	first, ok := firstInt(above)
	if !ok {
		return out
	}
	i := keyRange{lo: intKey(field, first), hi: sectionKey(field, secInt+1)}
	if end, ok := firstInt(beyond); ok {
		i.hi = intKey(field, end)
	}
	return append(out, i)
}

// firstInt returns the least int64 for which the monotone test holds.
func firstInt(holds func(int64) bool) (int64, bool) {
	if !holds(math.MaxInt64) {
		return 0, false
	}
	lo, hi := uint64(0), uint64(math.MaxUint64) // offset by 1<<63
	for lo < hi {
		mid := lo + (hi-lo)/2
		if holds(int64(mid ^ (1 << 63))) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return int64(lo ^ (1 << 63)), true
}

// timeRanges returns the keys of a field's times within bounds.
func timeRanges(field uint32, r TimeRange) []keyRange {
	first, ok := firstInt(func(i int64) bool { return within(i, nil, nil, r.Gt, r.Gte) })
	if !ok {
		return nil
	}
	out := keyRange{lo: intKey(field, first), hi: sectionKey(field, secInt+1)}
	if end, ok := firstInt(func(i int64) bool { return !within(i, r.Lt, r.Lte, nil, nil) }); ok {
		out.hi = intKey(field, end)
	}
	return []keyRange{out}
}

func intKey(field uint32, i int64) string {
	return string(appendInt(appendSection(make([]byte, 0, sectionLen+8), field, secInt), i))
}

func floatKey(field uint32, f float64) string {
	return string(appendFloat(appendSection(make([]byte, 0, sectionLen+8), field, secFloat), f))
}

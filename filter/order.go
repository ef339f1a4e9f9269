package filter

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Order names an order of points: by the values of an Integer, Float or Datetime field.
type Order struct {
	Field      string
	Descending bool
	Start      *Value // the first value, inclusive: a number, or microseconds of a Datetime field; nil: from the end
}

// Ordered calls fn with every different value of the field in order, and with the live slots that
// have it, ascending, until fn says that it wants no more. Integers of a Float field come as floats;
// an Integer field has no floats. The slots belong to fn until it returns.
func (s *State) Ordered(o Order, fn func(v Value, slots []uint32) (more bool, err error)) error {
	f, ok := s.fields[o.Field]
	if !ok || f.def.Building || f.def.Kind != Integer && f.def.Kind != Float && f.def.Kind != Datetime {
		return fmt.Errorf("%w: %q", ErrNoField, o.Field)
	}
	runs := make([]orderedRun, 0, 2)
	for _, r := range f.orderedRanges(o) {
		runs = append(runs, orderedRun{s: s, rest: r, descending: o.Descending})
	}
	for {
		var next *orderedRun
		for i := range runs {
			r := &runs[i]
			if err := r.fill(); err != nil {
				return err
			}
			if len(r.ready) > 0 && (next == nil || r.before(next)) {
				next = r
			}
		}
		if next == nil {
			return nil
		}
		v, slots := next.take()
		if f.def.Kind == Float {
			v = FloatValue(v.Float())
			for i := range runs { // 5 and 5.0 are one value
				for r := &runs[i]; len(r.ready) > 0 && r.ready[0].value.Float() == v.Float(); {
					_, same := r.take()
					slots = mergeLists(slots, same)
					if err := r.fill(); err != nil {
						return err
					}
				}
			}
		}
		if more, err := fn(v, slots); err != nil || !more {
			return err
		}
	}
}

// orderedRanges returns the keys of the values from the start on.
func (f field) orderedRanges(o Order) []keyRange {
	section := func(sec byte) keyRange { return keyRange{sectionKey(f.id, sec), sectionKey(f.id, sec+1)} }
	ranges := []keyRange{section(secInt)}
	if f.def.Kind == Float {
		ranges = append(ranges, section(secFloat))
	}
	switch {
	case o.Start == nil:
		return ranges
	case f.def.Kind != Float && o.Start.Kind() == IntKind: // exact beyond 53 bits
		if key := intKey(f.id, o.Start.Int()); o.Descending {
			ranges[0].hi = after(key)
		} else {
			ranges[0].lo = key
		}
		return ranges
	}
	start := o.Start.Float()
	bounds := Range{Gte: &start}
	if o.Descending {
		bounds = Range{Lte: &start}
	}
	return slices.DeleteFunc(floatRanges(f.id, bounds), func(r keyRange) bool {
		return f.def.Kind != Float && r.lo[sectionLen-1] != secInt
	})
}

// orderedRun hands out the values of one section in order. It reads ahead a chunk at a time, into
// memory of its own, so that fn may take its time.
type orderedRun struct {
	s          *State
	rest       keyRange // yet to be read
	descending bool
	ready      []orderedValue
}

type orderedValue struct {
	value Value
	slots []uint32
}

// A chunk ends with a key when it has so many keys or slots.
const (
	chunkKeys  = 128
	chunkSlots = 1 << 16
)

func (r *orderedRun) before(o *orderedRun) bool {
	a, b := r.ready[0].value.Float(), o.ready[0].value.Float()
	if r.descending {
		return a > b
	}
	return a < b
}

func (r *orderedRun) take() (Value, []uint32) {
	first := r.ready[0]
	r.ready = r.ready[1:]
	return first.value, first.slots
}

// fill reads the next chunk when none is ready; nothing is ready after the last one.
func (r *orderedRun) fill() error {
	if len(r.ready) > 0 {
		return nil
	}
	r.ready = nil
	return r.s.guard(func() error {
		for len(r.ready) == 0 && r.rest.lo < r.rest.hi {
			if err := r.chunk(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *orderedRun) chunk() error {
	from := r.rest.lo
	if r.descending {
		for _, t := range r.s.tables {
			key, err := t.before(r.rest.hi)
			if err != nil {
				return err
			}
			from = max(from, key)
		}
	}
	var last string
	slots := 0
	err := merge(r.s.tables, from, true, nil, func(key []byte, p posting) error {
		full := !r.descending && (len(r.ready) >= chunkKeys || slots >= chunkSlots)
		if string(key) >= r.rest.hi || full {
			return errStop
		}
		last = string(key)
		v, ok := keyValue(key)
		if !ok {
			return fmt.Errorf("filter: key %x of a number is malformed", key)
		}
		own := Slots{p}
		r.ready = append(r.ready, orderedValue{v, own.AppendTo(make([]uint32, 0, own.Len()))})
		slots += own.Len()
		return nil
	})
	stopped := errors.Is(err, errStop)
	switch {
	case err != nil && !stopped:
		return err
	case r.descending:
		slices.Reverse(r.ready)
		r.rest.hi = from
	case stopped && last != "":
		r.rest.lo = after(last)
	default:
		r.rest.lo = r.rest.hi
	}
	return nil
}

// before returns a key below the given one, so that not many of the table's keys lie between the
// two; "" when all are above.
func (t *memTable) before(key string) (string, error) {
	i := sort.SearchStrings(t.keys, key)
	if i == 0 {
		return "", nil
	}
	return t.keys[max(0, i-chunkKeys)], nil
}

// before returns the first key of a block.
func (t *frozenTable) before(key string) (string, error) {
	i, err := t.block(key)
	for ; err == nil && i >= 0; i-- {
		b, refErr := t.ref(0, i)
		it := blockIter{t: t, rest: b}
		if refErr != nil || !it.next() {
			return "", cmpErr(refErr, it.failed, t.corrupt(t.levels[0].off, errBlock))
		}
		if first := string(it.keyBuf); first < key {
			return first, nil
		}
	}
	return "", err
}

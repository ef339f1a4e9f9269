package filter

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrNoField is returned by EachValue and Ordered for a field without an index that could answer, or with one not yet built.
var ErrNoField = errors.New("filter: no index over this field")

// Slots are the live slots that have one value. They are borrowed: valid until the call that got
// them returns.
type Slots struct{ p posting }

// Len returns how many there are.
func (s Slots) Len() int {
	if s.p.bm != nil {
		return int(s.p.bm.GetCardinality())
	}
	return len(s.p.list)
}

// AppendTo appends them in ascending order.
func (s Slots) AppendTo(dst []uint32) []uint32 {
	if s.p.bm == nil {
		return append(dst, s.p.list...)
	}
	for it := s.p.bm.Iterator(); it.HasNext(); {
		dst = append(dst, it.Next())
	}
	return dst
}

// EachValue calls fn for every different value of an indexed field that some live slot has, until it
// returns false: keywords by bytes (folded if the field folds), integers and times (microseconds)
// ascending, then floats ascending, false before true, UUIDs by bytes in their usual spelling.
func (s *State) EachValue(field string, fn func(v Value, slots Slots) bool) error {
	f, ok := s.fields[field]
	if !ok || f.def.Building {
		return fmt.Errorf("%w: %q", ErrNoField, field)
	}
	err := s.guard(func() error {
		return merge(s.tables, sectionKey(f.id, secBool), true, nil, func(key []byte, p posting) error {
			if keyField(key) != f.id {
				return errStop
			}
			if v, ok := keyValue(key); ok && !fn(v, Slots{p}) {
				return errStop
			}
			return nil
		})
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

var errStop = errors.New("stop")

// keyValue turns the key of a value back into it.
func keyValue(key []byte) (Value, bool) {
	b := key[sectionLen:]
	switch key[sectionLen-1] {
	case secString:
		return StringValue(string(b)), true
	case secUUID:
		u, err := uuid.FromBytes(b)
		return StringValue(u.String()), err == nil
	case secBool:
		return BoolValue(len(b) == 1 && b[0] != 0), len(b) == 1
	case secInt:
		if len(b) == 8 {
			return IntValue(int64(binary.BigEndian.Uint64(b) ^ 1<<63)), true
		}
	case secFloat:
		if len(b) == 8 {
			return Value{kind: FloatKind, num: floatBits(binary.BigEndian.Uint64(b))}, true
		}
	}
	return Value{}, false
}

// floatBits undoes appendFloat.
func floatBits(b uint64) uint64 {
	if b>>63 != 0 {
		return b &^ (1 << 63)
	}
	return ^b
}

package payload

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// ErrPointID is returned by ParsePointID and DecodeKeyID for input that is no point id.
var ErrPointID = errors.New("payload: not a point id")

// keyIDLen is the length of an id inside a key: kind and 16 bytes, big endian.
const keyIDLen = 17

// Kinds of ids. The numbers are stored and decide the order: numbers before UUIDs.
const (
	kindNumber = 0
	kindUUID   = 1
)

// PointID is the client's name of a point: an unsigned 64-bit number or a UUID.
// It is comparable and its zero value is the number 0.
type PointID struct {
	kind uint8
	hi   uint64 // UUID only: its first eight bytes
	lo   uint64 // the number, or the last eight bytes of the UUID
}

// NumID returns the id of a number.
func NumID(n uint64) PointID { return PointID{lo: n} }

// UUIDID returns the id of a UUID given as its 16 bytes.
func UUIDID(u [16]byte) PointID {
	return PointID{kind: kindUUID, hi: binary.BigEndian.Uint64(u[:8]), lo: binary.BigEndian.Uint64(u[8:])}
}

// ParsePointID reads decimal digits as a number and anything else as a UUID in one of its
// spellings: hyphenated, plain, urn or in braces.
func ParsePointID(s string) (PointID, error) {
	if digitsOnly(s) {
		n, err := strconv.ParseUint(s, 10, 64)
		if err == nil {
			return NumID(n), nil
		}
		// 32 digits may still be a UUID that happens to have no letters.
	}
	u, err := uuid.Parse(s)
	if err != nil || len(s) == 38 && (s[0] != '{' || s[37] != '}') { // the parser does not look at the braces
		return PointID{}, fmt.Errorf("%w: %q", ErrPointID, clip(s))
	}
	return UUIDID(u), nil
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func clip(s string) string { return s[:min(len(s), 64)] }

// IsUUID says whether the id is a UUID.
func (id PointID) IsUUID() bool { return id.kind == kindUUID }

// Num returns the number, 0 for a UUID.
func (id PointID) Num() uint64 {
	if id.IsUUID() {
		return 0
	}
	return id.lo
}

// UUID returns the 16 bytes of the UUID. For a number it returns the number big endian in the
// last eight bytes.
func (id PointID) UUID() (u [16]byte) {
	binary.BigEndian.PutUint64(u[:8], id.hi)
	binary.BigEndian.PutUint64(u[8:], id.lo)
	return u
}

// String returns the digits or the lower-case hyphenated UUID; ParsePointID reads it back.
func (id PointID) String() string {
	if id.IsUUID() {
		return uuid.UUID(id.UUID()).String()
	}
	return strconv.FormatUint(id.lo, 10)
}

// Compare orders numbers ascending, then UUIDs by their bytes.
func (id PointID) Compare(o PointID) int {
	return cmp.Or(cmp.Compare(id.kind, o.kind), cmp.Compare(id.hi, o.hi), cmp.Compare(id.lo, o.lo))
}

// AppendKey appends 17 bytes whose byte order is the order of Compare.
func (id PointID) AppendKey(dst []byte) []byte {
	dst = append(dst, id.kind)
	dst = binary.BigEndian.AppendUint64(dst, id.hi)
	return binary.BigEndian.AppendUint64(dst, id.lo)
}

// DecodeKeyID reads what AppendKey wrote; b must hold exactly that.
func DecodeKeyID(b []byte) (PointID, error) {
	if len(b) != keyIDLen {
		return PointID{}, fmt.Errorf("%w: key of %d bytes", ErrPointID, len(b))
	}
	id := PointID{kind: b[0], hi: binary.BigEndian.Uint64(b[1:9]), lo: binary.BigEndian.Uint64(b[9:17])}
	if id.kind > kindUUID || id.kind == kindNumber && id.hi != 0 {
		return PointID{}, fmt.Errorf("%w: key of kind %d", ErrPointID, id.kind)
	}
	return id, nil
}

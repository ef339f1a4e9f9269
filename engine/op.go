package engine

import "github.com/isobath/isobath/internal/binfmt"

// op is the decoded body of one record. Applying it depends on the applied state and on
// nothing else: no clock, no random numbers, no map order.
type op interface {
	kind() uint8
	encode(w *binfmt.Writer)
}

type opCollectionCreate struct {
	num    uint32
	name   string
	schema Schema
}

type opCollectionDrop struct{ num uint32 }

// opCollectionUpdate carries the whole schema after the change.
type opCollectionUpdate struct {
	num    uint32
	schema Schema
}

// opAliases carries the whole alias table after the change.
type opAliases struct{ aliases map[string]string }

// changeKind says what happens to a point. Numbers are on disk.
type changeKind uint8

const (
	changePut     changeKind = 1 // vectors and payload replace the point
	changeVectors changeKind = 2 // the given vectors replace those of the same name
	changePayload changeKind = 3 // the payload is replaced; it is an after-image
	changeUnset   changeKind = 4 // the vectors named are deleted
	changeDelete  changeKind = 5
)

type namedVector struct {
	name string
	data []float32
}

type pointChange struct {
	kind       changeKind
	id         PointID
	vectors    []namedVector // sorted by name
	hasPayload bool
	payload    []byte
	names      []string // changeUnset
}

type opPoints struct {
	num       uint32
	operation uint64
	changes   []pointChange
}

type opFieldCreate struct {
	num       uint32
	operation uint64
	field     fieldDef
}

type opFieldDrop struct {
	num       uint32
	operation uint64
	name      string
}

// opFieldStep indexes the points whose ids lie in [from, to) into a field; an empty from or
// to is the end of that side. The step with an empty to completes the field.
type opFieldStep struct {
	num      uint32
	name     string
	from, to []byte
}

// keyChangeKind says what happens to a key or a database. Numbers are on disk.
type keyChangeKind uint8

const (
	keyPut    keyChangeKind = 1
	keyDelete keyChangeKind = 2
	keyFlush  keyChangeKind = 3 // the database gets a new generation, its indexes are dropped
)

type keyChange struct {
	kind       keyChangeKind
	database   int
	generation uint32 // of the database; keyFlush: the new one
	existed    bool   // the key existed before
	hadExpire  bool   // and had an expiry
	key        []byte
	doc        Document // keyDelete: Number of the deleted document
}

type opKeys struct{ changes []keyChange }

type opIndexCreate struct {
	num        uint32
	generation uint32
	def        IndexDef
}

// opIndexStep indexes the keys in [from, to) that no write has indexed yet; see opFieldStep.
type opIndexStep struct {
	num      uint32
	from, to []byte
	progress float64
}

type opFreeSlots struct {
	num uint32
	set []byte // serialized roaring bitmap
}

func (opCollectionCreate) kind() uint8 { return recCollectionCreate }
func (opCollectionDrop) kind() uint8   { return recCollectionDrop }
func (opCollectionUpdate) kind() uint8 { return recCollectionUpdate }
func (opAliases) kind() uint8          { return recAliases }
func (*opPoints) kind() uint8          { return recPoints }
func (opFieldCreate) kind() uint8      { return recFieldCreate }
func (opFieldDrop) kind() uint8        { return recFieldDrop }
func (opFieldStep) kind() uint8        { return recFieldStep }
func (*opKeys) kind() uint8            { return recKeys }
func (opIndexCreate) kind() uint8      { return recIndexCreate }
func (opIndexStep) kind() uint8        { return recIndexStep }
func (opFreeSlots) kind() uint8        { return recFreeSlots }

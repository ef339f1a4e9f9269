package filter

import (
	"errors"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/payload"
)

var errTodo = errors.New("filter: not yet")

// Check reports what is wrong with e.
func Check(e Expr) error { return nil }

// Point is one point to evaluate.
type Point interface {
	ID() payload.PointID
	Payload() []byte
	HasVector(name string) bool
}

// Eval is the definition.
func Eval(e Expr, p Point) (bool, error) { return false, errTodo }

// Predicate is a compiled expression. Safe for concurrent use.
type Predicate struct{}

// Compile parses the paths of e once.
func Compile(e Expr) (*Predicate, error) { return nil, errTodo }

// Eval evaluates on one point.
func (p *Predicate) Eval(pt Point) bool { return false }

// Kind is the type of a payload index.
type Kind uint8

// The kinds of payload indexes. Geo and Text keep no values yet: conditions are evaluated.
const (
	Keyword Kind = iota + 1
	Integer
	Float
	Bool
	Datetime
	UUID
	Geo
	Text
)

// FieldDef describes a payload index.
type FieldDef struct {
	Name     string
	Kind     Kind
	FoldCase bool
	Building bool   // not complete yet: Resolve does not use it
	Options  []byte // kept for the caller, persisted
}

// Values are the index values of one field of one slot.
type Values struct {
	Keywords []string
	Ints     []int64
	Floats   []float64
	Bools    []bool
	Other    bool // some non-null value that this kind of index does not hold
	Null     bool // null, or an array with a null
	NonEmpty bool // neither absent, nor null, nor []; implied by values and Other
}

// Extract returns the index values of a payload.
func Extract(def FieldDef, doc []byte) Values { return Values{} }

// State is the immutable state of all indexes of a collection.
type State struct{}

// Editor builds the next State.
type Editor struct{}

// FieldInfo describes a field of a State.
type FieldInfo struct {
	Def    FieldDef
	Points int // with at least one indexed value
}

// Resolved is the answer of Resolve.
type Resolved struct {
	Set      *roaring.Bitmap // nil = All
	Residual Expr            // nil = Set is exact
}

// Save is one save in progress.
type Save struct{}

// Saved names the files of a saved State.
type Saved struct {
	Files []string // every file the image needs, old ones included
	Meta  []byte
}

func NewState() *State                                       { return &State{} }
func (s *State) Edit() *Editor                               { return &Editor{} }
func (e *Editor) Add(slot uint32)                            {}
func (e *Editor) Remove(slot uint32)                         {}
func (e *Editor) SetVector(name string, slot uint32, h bool) {}
func (e *Editor) DropVector(name string)                     {}
func (e *Editor) Put(field string, slot uint32, v Values)    {}
func (e *Editor) AddField(def FieldDef)                      {}
func (e *Editor) SetReady(name string)                       {}
func (e *Editor) DropField(name string)                      {}
func (e *Editor) Commit() *State                             { return &State{} }
func (s *State) All() *roaring.Bitmap                        { return nil }
func (s *State) Has(vector string) *roaring.Bitmap           { return nil }
func (s *State) Contains(slot uint32) bool                   { return false }
func (s *State) Len() int                                    { return 0 }
func (s *State) Fields() []FieldInfo                         { return nil }
func (s *State) Memory() int64                               { return 0 }
func (s *State) Resolve(e Expr, slotOf func(payload.PointID) (uint32, bool, error)) (Resolved, error) {
	return Resolved{}, errTodo
}
func (s *State) FieldValues(field string, slot uint32) (Values, bool) { return Values{}, false }
func (s *State) BeginSave() *Save                                     { return nil }
func (sv *Save) Run(fs vfs.FS, dir string, nextFile func() string) (Saved, error) {
	return Saved{}, errTodo
}
func (s *State) FinishSave(sv *Save) *State                { return nil }
func Load(fs vfs.FS, dir string, sv Saved) (*State, error) { return nil, errTodo }
func Verify(fs vfs.FS, dir string, sv Saved) error         { return errTodo }

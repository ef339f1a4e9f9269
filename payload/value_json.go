package payload

// Kind is the type of a JSON value.
type Kind uint8

// Kinds of values. A number is Int when its text is an integer (no fraction, no exponent), whatever its size.
const (
	Invalid Kind = iota
	Null
	Bool
	Int
	Float
	String
	Array
	Object
)

// Value is one JSON value inside a document; Raw borrows from it.
type Value struct {
	Kind Kind
	Raw  []byte
}

// Str returns the decoded text of a String, "" otherwise.
func (v Value) Str() string { return "" }

// Int64 returns the number if it is an Int within range.
func (v Value) Int64() (int64, bool) { return 0, false }

// Uint64 returns the number if it is an Int within range.
func (v Value) Uint64() (uint64, bool) { return 0, false }

// Float64 returns the number of an Int or Float, 0 otherwise.
func (v Value) Float64() float64 { return 0 }

// Bool returns the value of a Bool, false otherwise.
func (v Value) Bool() bool { return false }

// EachElem calls fn for every element of an Array until it returns false.
func (v Value) EachElem(fn func(e Value) bool) {}

// Validate accepts one JSON object without duplicate keys, at most 1000 deep, without trailing data.
func Validate(doc []byte) error { return errTodo }

// Merge merges the top-level keys of patch into doc; null removes a key.
func Merge(doc, patch []byte) ([]byte, error) { return nil, errTodo }

// MergeAt merges patch at a path (http.md 10.1, key).
func MergeAt(doc []byte, at Path, patch []byte) ([]byte, error) { return nil, errTodo }

// Remove removes what p selects (http.md 10.1, payload/delete).
func Remove(doc []byte, p Path) ([]byte, error) { return nil, errTodo }

// Project keeps or drops paths (http.md 10.2).
func Project(doc []byte, include, exclude []Path) ([]byte, error) { return nil, errTodo }

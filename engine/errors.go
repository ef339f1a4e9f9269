package engine

import (
	"errors"
	"fmt"
)

// Errors of the engine. Methods say which they return; test with errors.Is and errors.As.
var (
	ErrClosed    = errors.New("engine: database is closed")
	ErrLocked    = errors.New("engine: directory is held by another process")
	ErrReadOnly  = errors.New("engine: database is read-only") // damage or a failed write; reads go on
	ErrLimit     = errors.New("engine: limit exceeded")
	ErrDropped   = errors.New("engine: collection was dropped during the call")
	ErrFTRequest = errors.New("engine: collection is fed by keys and takes no direct writes")
)

// NotFoundError says that a named thing does not exist.
type NotFoundError struct {
	Kind string // "collection", "alias", "index", "point"
	Name string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("engine: no %s %q", e.Kind, e.Name) }

// ExistsError says that a name is taken, by a collection, an alias or an index.
type ExistsError struct {
	Kind string
	Name string
}

func (e *ExistsError) Error() string { return fmt.Sprintf("engine: %s %q exists", e.Kind, e.Name) }

// VectorNameError says that a collection has no vector of that name.
type VectorNameError struct{ Name string }

func (e *VectorNameError) Error() string { return fmt.Sprintf("engine: no vector named %q", e.Name) }

// DimensionError says that a vector has the wrong number of components.
type DimensionError struct {
	Name      string
	Want, Got int
}

func (e *DimensionError) Error() string {
	return fmt.Sprintf("engine: vector %q: expected %d components, got %d", e.Name, e.Want, e.Got)
}

// InputError is any other fault of the caller; Msg is fit for the client.
type InputError struct{ Msg string }

func (e *InputError) Error() string { return e.Msg }

package service

import "errors"

// ErrLoading is returned by every operation before Attach.
var ErrLoading = errors.New("service: the database is loading")

// ErrorKind says whose fault an Error is.
type ErrorKind uint8

// Kinds of errors.
const (
	WrongInput ErrorKind = iota + 1 // found while executing
	BadRequest                      // a combination that is not allowed, or not supported yet
	NotFound
)

// Error is a fault of the caller. Text is fit for the client.
type Error struct {
	Kind ErrorKind
	Text string
}

func (e *Error) Error() string { return e.Text }

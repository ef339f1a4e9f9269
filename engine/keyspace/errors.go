package keyspace

import "errors"

// Errors of commands. Their texts are what RESP clients are shown, so they do not name the package.
var (
	ErrWrongType      = errors.New("WRONGTYPE Operation against a key holding the wrong kind of value")
	ErrNotInteger     = errors.New("ERR value is not an integer or out of range")
	ErrNotFloat       = errors.New("ERR value is not a valid float")
	ErrHashNotInteger = errors.New("ERR hash value is not an integer")
	ErrHashNotFloat   = errors.New("ERR hash value is not a float")
	ErrOverflow       = errors.New("ERR increment or decrement would overflow")
	ErrNaN            = errors.New("ERR increment would produce NaN or Infinity")
	ErrInfinite       = errors.New("ERR value is NaN or Infinity")
	ErrNoKey          = errors.New("ERR no such key")
	ErrOffset         = errors.New("ERR offset is out of range")
	ErrTooLong        = errors.New("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	ErrCursor         = errors.New("ERR invalid cursor")
	ErrDatabase       = errors.New("ERR DB index is out of range")
)

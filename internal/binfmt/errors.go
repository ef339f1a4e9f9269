package binfmt

import (
	"errors"
	"fmt"
)

var (
	// ErrShort is the error of a Reader that was asked for more bytes than remain.
	ErrShort = errors.New("binfmt: unexpected end of data")
	// ErrVarint is the error of a Reader at a varint that does not fit 64 bits.
	ErrVarint = errors.New("binfmt: malformed varint")
	// ErrMagic is returned by DecodeHeader: the file is not of the expected kind.
	ErrMagic = errors.New("binfmt: wrong magic")
	// ErrChecksum tells that bytes do not match their checksum.
	ErrChecksum = errors.New("binfmt: checksum mismatch")
)

// VersionError is returned by DecodeHeader for a file of our kind in a version that this release
// does not know.
type VersionError struct {
	Version, Known uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("binfmt: format version %d, this release knows up to %d", e.Version, e.Known)
}

// CorruptError says where stored bytes are damaged. Every package reports damage in this type.
type CorruptError struct {
	File   string
	Offset int64
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %v", e.File, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// Corrupt makes a CorruptError with a formatted cause.
func Corrupt(file string, offset int64, format string, args ...any) *CorruptError {
	return &CorruptError{File: file, Offset: offset, Err: fmt.Errorf(format, args...)}
}

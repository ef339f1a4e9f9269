package wal

import "errors"

var (
	// ErrFailed is returned by Append and Sync after a write or a flush has failed.
	ErrFailed = errors.New("wal: the log failed and takes no more records")
	// ErrReadOnly is returned by every change of a log that was opened with damage, see Damage.
	ErrReadOnly = errors.New("wal: the log is damaged and open for reading only")
	// ErrClosed is returned by every change after Close.
	ErrClosed = errors.New("wal: the log is closed")
	// ErrOrder is returned by Append for a record that does not follow the last one.
	ErrOrder = errors.New("wal: record out of order")
	// ErrNotEmpty is returned by SetStart for a log that holds records.
	ErrNotEmpty = errors.New("wal: the log holds records")
	// ErrRange is returned by TruncateSuffix for a place before the first record.
	ErrRange = errors.New("wal: no such record")
)

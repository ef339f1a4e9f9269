package payload

import (
	"fmt"
	"math"
)

// Badger's timestamps are the sequence number of a record and, below it, how often its entry was written
// with another content: a blob lies elsewhere after a replay or a collection. Two entries with the same key
// and timestamp are the same bytes, since badger does not say which of them counts: tables of level 0 that
// were merged into one are not sorted by age any more.
const (
	rewriteBits = 16
	maxRewrites = 1<<rewriteBits - 1
	// maxSeq is the highest sequence number of a record.
	maxSeq = 1<<(64-rewriteBits) - 1
)

// stamp is the timestamp of the first entry of a record.
func stamp(seq uint64) uint64 { return seq << rewriteBits }

// upTo is the timestamp at which all is visible that is visible at seq.
func upTo(seq uint64) uint64 {
	if seq > maxSeq {
		return math.MaxUint64
	}
	return stamp(seq) | maxRewrites
}

// seqOf is the sequence number of the record that wrote an entry.
func seqOf(version uint64) uint64 { return version >> rewriteBits }

// rewriteOf is the timestamp of the next entry with another content. The highest one of a record is that of its deletes.
func rewriteOf(version uint64) (uint64, error) {
	if version&maxRewrites >= maxRewrites-1 {
		return 0, fmt.Errorf("payload: record %d was written %d times", seqOf(version), maxRewrites)
	}
	return version + 1, nil
}

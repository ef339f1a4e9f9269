package engine

import (
	"reflect"
	"sync"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
)

const (
	cachedFilters     = 8       // of a collection
	cachedFilterBytes = 1 << 20 // of one set; searches keep another bit for each row of a segment with it
)

// filterCache keeps the answers to the latest filters of searches: applications ask many queries under few filters, and
// resolving a range can take longer than the search. An answer is for one state of the collection: the first search
// after a write drops them all. Safe for concurrent use; the sets are read only.
type filterCache struct {
	mu      sync.Mutex
	state   *filter.State
	entries []cachedFilter // latest first
}

type cachedFilter struct {
	expr    filter.Expr
	vector  string
	matches *vectorindex.Matches
}

// get returns the slots that match and have the vector.
func (fc *filterCache) get(state *filter.State, expr filter.Expr, vector string) (*vectorindex.Matches, bool) {
	fc.mu.Lock()
	defer fc.mu.Unlock()
	if fc.state != state {
		return nil, false
	}
	for i, e := range fc.entries {
		if e.vector == vector && reflect.DeepEqual(e.expr, expr) {
			copy(fc.entries[1:i+1], fc.entries[:i])
			fc.entries[0] = e
			return e.matches, true
		}
	}
	return nil, false
}

// put keeps an answer unless it is large.
func (fc *filterCache) put(state *filter.State, expr filter.Expr, vector string, matches *vectorindex.Matches) {
	if matches.GetSizeInBytes() > cachedFilterBytes {
		return
	}
	fc.mu.Lock()
	defer fc.mu.Unlock()
	if fc.state != state {
		fc.state, fc.entries = state, nil
	}
	if len(fc.entries) < cachedFilters {
		fc.entries = append(fc.entries, cachedFilter{})
	}
	copy(fc.entries[1:], fc.entries)
	fc.entries[0] = cachedFilter{expr, vector, matches}
}

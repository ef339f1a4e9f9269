package oracle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is what an operation does to one key.
type Change[K cmp.Ordered, V any] struct {
	Key   K
	Value V
	Gone  bool // the key does not exist afterwards
}

// Op is one operation: all of its changes happen, or none.
type Op[K cmp.Ordered, V any] struct {
	What    string // for messages
	Changes []Change[K, V]
}

// Lane is the history of one writer. One user at a time.
type Lane[K cmp.Ordered, V any] struct {
	equal   func(a, b V) bool
	sure    map[K]V    // after all acknowledged operations
	latest  map[K]V    // after all operations sent
	flight  []Op[K, V] // sent, not acknowledged
	deleted map[K]bool // keys that an acknowledged operation removed, for messages
	acked   int        // operations acknowledged so far
}

// NewLane returns the lane of an empty database.
func NewLane[K cmp.Ordered, V any](equal func(a, b V) bool) *Lane[K, V] {
	return &Lane[K, V]{equal: equal, sure: map[K]V{}, latest: map[K]V{}, deleted: map[K]bool{}}
}

// Begin notes that op is about to be sent.
func (l *Lane[K, V]) Begin(op Op[K, V]) {
	l.flight = append(l.flight, op)
	apply(l.latest, op)
}

// Acked notes that the oldest n operations in flight were acknowledged.
func (l *Lane[K, V]) Acked(n int) {
	for _, op := range l.flight[:n] {
		apply(l.sure, op)
		for _, c := range op.Changes {
			if c.Gone {
				l.deleted[c.Key] = true
			} else {
				delete(l.deleted, c.Key)
			}
		}
	}
	l.flight = slices.Delete(l.flight, 0, n)
	l.acked += n
}

// Total returns the number of operations acknowledged so far.
func (l *Lane[K, V]) Total() int { return l.acked }

// InFlight returns the number of operations without an answer.
func (l *Lane[K, V]) InFlight() int { return len(l.flight) }

// Latest returns the state after everything sent. It is read only and valid until the next call.
func (l *Lane[K, V]) Latest() map[K]V { return l.latest }

// Resolve compares what was found after a restart, decides which operations in flight have
// happened and continues from there. kept is their number. The error describes the differences to
// the permitted state that is nearest.
func (l *Lane[K, V]) Resolve(found map[K]V) (kept int, err error) {
	state := maps.Clone(l.sure)
	differing := map[K]bool{}
	look := func(k K) {
		if l.same(state, found, k) {
			delete(differing, k)
		} else {
			differing[k] = true
		}
	}
	for k := range state {
		look(k)
	}
	for k := range found {
		look(k)
	}
	fewest, at := len(differing), 0
	nearest := sample(differing)
	for i, op := range l.flight {
		if len(differing) == 0 {
			break
		}
		apply(state, op)
		for _, c := range op.Changes {
			look(c.Key)
		}
		if len(differing) < fewest {
			fewest, at, nearest = len(differing), i+1, sample(differing)
		}
	}
	if fewest > 0 {
		return 0, l.explain(found, nearest, fewest, at)
	}
	l.settle(at)
	return at, nil
}

// settle makes the first n operations in flight sure and forgets the others.
func (l *Lane[K, V]) settle(n int) {
	acked := l.acked
	l.Acked(n)
	l.acked = acked
	l.flight = nil
	l.latest = maps.Clone(l.sure)
}

func (l *Lane[K, V]) same(state, found map[K]V, k K) bool {
	a, wanted := state[k]
	b, there := found[k]
	return wanted == there && (!wanted || l.equal(a, b))
}

func (l *Lane[K, V]) explain(found map[K]V, keys []K, n, at int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "oracle: %d keys differ from every permitted state; nearest is %d of %d operations in flight", n, at, len(l.flight))
	for i, op := range l.flight {
		if i < 4 {
			fmt.Fprintf(&b, "\n  in flight: %s (%d changes)", op.What, len(op.Changes))
		}
	}
	state := maps.Clone(l.sure)
	for _, op := range l.flight[:at] {
		apply(state, op)
	}
	for _, k := range keys {
		want, wanted := state[k]
		got, there := found[k]
		switch {
		case !there:
			fmt.Fprintf(&b, "\n  %v: lost, want %s", k, brief(want))
		case !wanted && l.deleted[k]:
			fmt.Fprintf(&b, "\n  %v: deleted and back as %s", k, brief(got))
		case !wanted:
			fmt.Fprintf(&b, "\n  %v: never written, yet %s", k, brief(got))
		default:
			fmt.Fprintf(&b, "\n  %v:\n    got  %s\n    want %s", k, brief(got), brief(want))
		}
	}
	return fmt.Errorf("%s", b.String())
}

// brief prints a value, its end included: payloads come behind vectors.
func brief(v any) string {
	const most = 600
	s := fmt.Sprintf("%+v", v)
	if len(s) > most {
		s = s[:most/2] + " ... " + s[len(s)-most/2:]
	}
	return s
}

// sample returns the first few keys.
func sample[K cmp.Ordered](keys map[K]bool) []K {
	const shown = 5
	sorted := slices.Sorted(maps.Keys(keys))
	return sorted[:min(shown, len(sorted))]
}

func apply[K cmp.Ordered, V any](state map[K]V, op Op[K, V]) {
	for _, c := range op.Changes {
		if c.Gone {
			delete(state, c.Key)
		} else {
			state[c.Key] = c.Value
		}
	}
}

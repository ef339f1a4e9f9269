package filter

import (
	"slices"
	"sort"
	"unsafe"
)

// memTable is a table in memory: one commit, or several merged. Immutable but for sealed, which
// belongs to the writer.
type memTable struct {
	keys   []string
	posts  []posting
	size   int64
	sealed bool // a save has begun above it: not to be merged with later tables

	// Chunks that the next keys and lists go to: together they are read faster and collected sooner.
	text  []byte
	slots []uint32
}

// entryOverhead is the memory of one entry besides its key's bytes and its slots.
const entryOverhead = 16 + 32

// maxChunk is the number of elements from which chunks no longer grow.
const maxChunk = 16 << 10

// append adds an entry behind the last; key and list are copied.
func (t *memTable) append(key []byte, p posting) {
	text, p2 := take(&t.text, key), p
	if p.bm == nil {
		p2 = posting{list: take(&t.slots, p.list)}
	}
	t.keys = append(t.keys, unsafe.String(unsafe.SliceData(text), len(text))) // never written again
	t.posts = append(t.posts, p2)
	t.size += entryOverhead + int64(len(key)) + p2.memory()
}

// take copies s to the end of a chunk, or to a new chunk when it is full.
func take[T any](chunk *[]T, s []T) []T {
	c := *chunk
	if cap(c)-len(c) < len(s) {
		c = make([]T, 0, max(len(s), min(2*cap(c), maxChunk)))
	}
	n := len(c)
	c = append(c, s...)
	*chunk = c
	return c[n:len(c):len(c)]
}

func (t *memTable) finish() *memTable {
	t.text, t.slots = nil, nil
	return t
}

func (t *memTable) get(key string) (posting, error) {
	if i, ok := slices.BinarySearch(t.keys, key); ok {
		return t.posts[i], nil
	}
	return posting{}, nil
}

func (t *memTable) scan(r keyRange, into *collector) error {
	first, end := sort.SearchStrings(t.keys, r.lo), sort.SearchStrings(t.keys, r.hi)
	for i := first; i < end; i++ {
		into.add(t.posts[i])
	}
	return nil
}

func (t *memTable) bytes() int64 { return t.size }

func (t *memTable) cursor(from string) cursor {
	return &memCursor{t: t, at: sort.SearchStrings(t.keys, from) - 1}
}

type memCursor struct {
	t  *memTable
	at int
}

func (c *memCursor) next() bool { c.at++; return c.at < len(c.t.keys) }
func (c *memCursor) key() []byte {
	k := c.t.keys[c.at]
	return unsafe.Slice(unsafe.StringData(k), len(k)) // read only, by the contract of cursor
}
func (c *memCursor) posting() (posting, error) { return c.t.posts[c.at], nil }
func (c *memCursor) err() error                { return nil }

// tableBuilder turns the edits of one commit into a table.
type tableBuilder struct {
	index map[string]int
	keys  []string
	lists [][]uint32
}

// add files a slot under a key. Slots must come in ascending order.
func (b *tableBuilder) add(key []byte, slot uint32) {
	i, ok := b.index[string(key)]
	if !ok {
		i = len(b.keys)
		k := string(key)
		b.index[k] = i
		b.keys = append(b.keys, k)
		b.lists = append(b.lists, nil)
	}
	if l := b.lists[i]; len(l) == 0 || l[len(l)-1] != slot {
		b.lists[i] = append(l, slot)
	}
}

// build returns nil when nothing was added.
func (b *tableBuilder) build() *memTable {
	if len(b.keys) == 0 {
		return nil
	}
	t := &memTable{keys: make([]string, 0, len(b.keys)), posts: make([]posting, 0, len(b.keys))}
	slices.Sort(b.keys)
	for _, k := range b.keys {
		t.append([]byte(k), listPosting(b.lists[b.index[k]]))
	}
	return t.finish()
}

// maxMergedBytes bounds the tables in memory that a commit merges, and so the longest commit.
const maxMergedBytes = 2 << 20

// push puts t on the stack and merges it with the tables in memory below while they are not much
// larger: each entry is merged a logarithmic number of times, and the stack stays logarithmic.
func push(stack []table, t *memTable, live map[uint32]bool) ([]table, error) {
	total, first := t.size, len(stack)
	for first > 0 {
		below, ok := stack[first-1].(*memTable)
		if !ok || below.sealed || below.size > 2*total || below.size+total > maxMergedBytes {
			break
		}
		total += below.size
		first--
	}
	out := slices.Clone(stack[:first])
	if first == len(stack) {
		return append(out, t), nil
	}
	merged := &memTable{}
	err := merge(append(slices.Clone(stack[first:]), t), "", first == 0, live, func(key []byte, p posting) error {
		merged.append(key, p)
		return nil
	})
	if err != nil || len(merged.keys) == 0 {
		return out, err
	}
	return append(out, merged.finish()), nil
}

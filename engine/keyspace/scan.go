package keyspace

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"sync"

	"github.com/isobath/isobath/engine"
)

// ScanOptions are the options of SCAN.
type ScanOptions struct {
	Match []byte      // glob pattern; nil matches all
	Count int         // keys to look at; 10
	Kind  engine.Kind // 0: any
}

const (
	maxScanCount = 100_000
	cursorsKept  = 32 << 10 // in each of two generations
)

// cursorTable remembers at which key a SCAN stopped. A cursor is a hash of that key: the same stop has the same cursor, and
// a cursor that was forgotten, or comes from before a restart, can be found again by looking at all keys.
type cursorTable struct {
	mu       sync.Mutex
	new, old map[uint64]keyName
}

func (t *cursorTable) init() { t.new, t.old = map[uint64]keyName{}, nil }

func cursorOf(name keyName) uint64 {
	h := fnv.New64a()
	h.Write([]byte{byte(name.database)})
	h.Write([]byte(name.key))
	return max(h.Sum64()>>1, 1) // fits a signed number, and 0 is the start
}

func (t *cursorTable) put(name keyName) uint64 {
	c := cursorOf(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.new) >= cursorsKept {
		t.new, t.old = map[uint64]keyName{}, t.new
	}
	t.new[c] = name
	return c
}

func (t *cursorTable) get(c uint64) (keyName, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name, ok := t.new[c]
	if !ok {
		name, ok = t.old[c]
	}
	return name, ok
}

// Scan looks at the next keys after a cursor, in byte order, and returns those that match with the next cursor, 0 at the end.
// Keys that exist during the whole scan are returned exactly once.
func (l *KeyList) Scan(cursor uint64, o ScanOptions) (next uint64, keys [][]byte, err error) {
	count := min(max(cmp.Or(o.Count, 10), 1), maxScanCount)
	scan := engine.KeyScan{}
	if o.Match != nil {
		scan.Prefix = globPrefix(o.Match)
	}
	if cursor != 0 {
		last, err := l.cursorKey(cursor)
		if err != nil {
			return 0, nil, err
		}
		scan.From = append([]byte(last), 0)
		if !bytes.HasPrefix(scan.From, scan.Prefix) {
			if bytes.Compare(scan.From, scan.Prefix) > 0 {
				return 0, nil, nil
			}
			scan.From = nil
		}
	}
	var last []byte
	seen, more := 0, false
	err = l.scan(scan, func(key []byte, d engine.Document) (bool, error) {
		if seen == count {
			more = true
			return false, nil
		}
		seen++
		last = append(last[:0], key...)
		if !l.dead(d) && (o.Kind == 0 || o.Kind == d.Kind) && (o.Match == nil || Glob(o.Match, key)) {
			keys = append(keys, bytes.Clone(key))
		}
		return true, nil
	})
	if err != nil || !more {
		return 0, keys, err
	}
	return l.space.cursors.put(keyName{l.database, string(last)}), keys, nil
}

func (l *KeyList) cursorKey(cursor uint64) (string, error) {
	if name, ok := l.space.cursors.get(cursor); ok && name.database == l.database {
		return name.key, nil
	}
	found, ok := "", false
	err := l.scan(engine.KeyScan{KeysOnly: true}, func(key []byte, _ engine.Document) (bool, error) {
		if cursorOf(keyName{l.database, string(key)}) == cursor {
			found, ok = string(key), true
		}
		return !ok, nil
	})
	if err == nil && !ok {
		err = ErrCursor
	}
	return found, err
}

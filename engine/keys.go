package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/isobath/isobath/payload"
)

// Prefixes of the keys in badger. Each is followed by a number that is never used again (the
// database's generation or the collection's number, big endian), so that dropping is O(1).
const (
	prefixDocument byte = 'k' // generation, key -> document
	prefixSlot     byte = 'i' // collection, id -> slot
	prefixPayload  byte = 'p' // collection, id -> payload; FT collections: the key
)

const latest = math.MaxUint64 // reads the newest applied version

// maxKeyBytes bounds a RESP key; badger keys end at 65000 bytes.
const maxKeyBytes = 32 << 10

func storeKey(dst []byte, prefix byte, num uint32, key []byte) []byte {
	dst = append(dst, prefix)
	dst = binary.BigEndian.AppendUint32(dst, num)
	return append(dst, key...)
}

func storeIDKey(dst []byte, prefix byte, num uint32, id PointID) []byte {
	dst = append(dst, prefix)
	dst = binary.BigEndian.AppendUint32(dst, num)
	return id.AppendKey(dst)
}

// idKeyBytes is the length of a point id in a key.
const idKeyBytes = 17

// storePrefixBytes is the length of prefix and number.
const storePrefixBytes = 5

// database is one logical database of the RESP protocol. Its zero value is empty and was
// never written; generations of written databases start at 1.
type database struct {
	generation uint32
	keys       int // documents
	expires    int // documents with an expiry
}

// KeyTx reads and writes documents inside DB.Update. It is valid until the function returns.
type KeyTx struct {
	db      *DB
	now     time.Time
	changes []keyChange
	local   map[overlayKey]int // newest change of a key, once there are many
	dbs     map[int]database   // databases changed here
	nums    uint32
	keyNum  uint64
	key     []byte // scratch
}

// localScan is the number of changes that are searched one by one before a map is made.
const localScan = 8

// Update runs fn in the sequencer: one at a time, in log order, seeing all earlier updates.
// fn must be quick and must not call the DB. If it returns an error nothing is written and
// Update returns that error. All writes of fn are one record: applied whole or not at all.
// A fn without writes gives a ticket for everything sequenced before it.
func (db *DB) Update(fn func(tx *KeyTx) error) (*Ticket, error) {
	seq, o, err := db.update(fn)
	if err != nil {
		return nil, err
	}
	return &Ticket{db, seq, db.pace(o)}, nil
}

// update returns the operation too, nil without writes.
func (db *DB) update(fn func(tx *KeyTx) error) (uint64, op, error) {
	s := &db.seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != nil {
		return 0, nil, err
	}
	tx := &KeyTx{db: db, now: db.clock(), nums: s.nums, keyNum: s.keyNum}
	if err := fn(tx); err != nil {
		return 0, nil, err
	}
	if len(tx.changes) == 0 {
		return s.last, nil, nil
	}
	o := &opKeys{changes: tx.changes}
	seq, err := db.appendLocked(o)
	if err != nil {
		return 0, nil, err
	}
	s.overlay.putKeys(seq, o)
	s.nums, s.keyNum = tx.nums, tx.keyNum
	for n, d := range tx.dbs {
		db.seqDatabases[n] = d
	}
	return seq, o, nil
}

// Now returns the clock reading of this update.
func (tx *KeyTx) Now() time.Time { return tx.now }

// Seq returns the sequence number that the update will get if it writes.
func (tx *KeyTx) Seq() uint64 { return tx.db.seq.last + 1 }

func (tx *KeyTx) database(n int) database {
	if d, ok := tx.dbs[n]; ok {
		return d
	}
	return tx.db.seqDatabases[n]
}

func (tx *KeyTx) setDatabase(n int, d database) {
	if tx.dbs == nil {
		tx.dbs = map[int]database{}
	}
	tx.dbs[n] = d
}

// Len returns the number of keys of a database, expired ones included.
func (tx *KeyTx) Len(databaseNum int) int { return tx.database(databaseNum).keys }

// Get returns the document at key. Its body is borrowed and must not be changed. Expiry is
// the caller's to judge by Now.
func (tx *KeyTx) Get(databaseNum int, key []byte) (Document, bool, error) {
	g := tx.database(databaseNum).generation
	if i, ok := tx.find(g, key); ok {
		c := &tx.changes[i]
		return c.doc, c.kind == keyPut, nil
	}
	if g == 0 {
		return Document{}, false, nil
	}
	if e, ok := tx.db.seq.overlay.keys[overlayKey{g, string(key)}]; ok {
		return e.doc, e.exists, nil
	}
	tx.key = storeKey(tx.key[:0], prefixDocument, g, key)
	return readDocument(tx.db.kv, latest, tx.key)
}

func (tx *KeyTx) find(generation uint32, key []byte) (int, bool) {
	if tx.local != nil {
		i, ok := tx.local[overlayKey{generation, string(key)}]
		return i, ok
	}
	for i := len(tx.changes) - 1; i >= 0; i-- {
		c := &tx.changes[i]
		if c.kind != keyFlush && c.generation == generation && bytes.Equal(c.key, key) {
			return i, true
		}
	}
	return 0, false
}

func (tx *KeyTx) add(c keyChange) {
	tx.changes = append(tx.changes, c)
	switch {
	case tx.local != nil:
		if c.kind != keyFlush {
			tx.local[overlayKey{c.generation, string(c.key)}] = len(tx.changes) - 1
		}
	case len(tx.changes) > localScan:
		tx.local = map[overlayKey]int{}
		for i := range tx.changes {
			if ch := &tx.changes[i]; ch.kind != keyFlush {
				tx.local[overlayKey{ch.generation, string(ch.key)}] = i
			}
		}
	}
}

// Put writes the document at key and keeps d.Body. With d.Number 0 an existing key keeps its
// number and a new one gets the next.
func (tx *KeyTx) Put(databaseNum int, key []byte, d Document) error {
	if len(key) > maxKeyBytes {
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrLimit, len(key), maxKeyBytes)
	}
	old, existed, err := tx.Get(databaseNum, key)
	if err != nil {
		return err
	}
	info := tx.database(databaseNum)
	if info.generation == 0 {
		tx.nums++
		info.generation = tx.nums
	}
	switch {
	case d.Number != 0:
	case existed:
		d.Number = old.Number
	default:
		tx.keyNum++
		d.Number = tx.keyNum
	}
	c := keyChange{kind: keyPut, database: databaseNum, generation: info.generation, existed: existed,
		hadExpire: existed && old.Expire != 0, key: slices.Clone(key), doc: d}
	info.count(&c)
	tx.setDatabase(databaseNum, info)
	tx.add(c)
	return nil
}

// Delete removes a key and says whether it was there.
func (tx *KeyTx) Delete(databaseNum int, key []byte) (bool, error) {
	old, existed, err := tx.Get(databaseNum, key)
	if err != nil || !existed {
		return false, err
	}
	info := tx.database(databaseNum)
	c := keyChange{kind: keyDelete, database: databaseNum, generation: info.generation, existed: true,
		hadExpire: old.Expire != 0, key: slices.Clone(key), doc: Document{Number: old.Number}}
	info.count(&c)
	tx.setDatabase(databaseNum, info)
	tx.add(c)
	return true, nil
}

// Flush removes all keys and FT indexes of a database. It costs the same whatever their number.
func (tx *KeyTx) Flush(databaseNum int) {
	tx.nums++
	tx.setDatabase(databaseNum, database{generation: tx.nums})
	tx.add(keyChange{kind: keyFlush, database: databaseNum, generation: tx.nums})
}

// FlushAll flushes every database that was ever written.
func (tx *KeyTx) FlushAll() {
	for n := range tx.db.seqDatabases {
		if tx.database(n).generation != 0 {
			tx.Flush(n)
		}
	}
}

// count follows the effect of c on the numbers of keys.
func (d *database) count(c *keyChange) {
	switch c.kind {
	case keyFlush:
		*d = database{generation: c.generation}
		return
	case keyPut:
		if !c.existed {
			d.keys++
		}
		if c.doc.Expire != 0 {
			d.expires++
		}
	case keyDelete:
		d.keys--
	}
	if c.hadExpire {
		d.expires--
	}
	d.generation = c.generation
}

// KeyView is a pinned read state of all documents.
type KeyView struct {
	db        *DB
	seq       uint64
	databases *[maxDatabases]database
	released  bool
}

// Keys pins the documents at the published sequence number. The view must be closed.
func (db *DB) Keys() *KeyView {
	db.mu.RLock()
	defer db.mu.RUnlock()
	db.views.add(db.publishedSeq)
	return &KeyView{db: db, seq: db.publishedSeq, databases: db.databases}
}

// Close releases the view. It may be called twice.
func (v *KeyView) Close() {
	if !v.released {
		v.released = true
		v.db.views.remove(v.seq)
	}
}

// Seq returns the sequence number that the view shows.
func (v *KeyView) Seq() uint64 { return v.seq }

// Len returns the number of keys of a database, expired ones that nobody has met yet included.
func (v *KeyView) Len(databaseNum int) int { return v.databases[databaseNum].keys }

// Expires returns the number of keys of a database that have an expiry.
func (v *KeyView) Expires(databaseNum int) int { return v.databases[databaseNum].expires }

// Get returns the document at key. The body belongs to the caller.
func (v *KeyView) Get(databaseNum int, key []byte) (Document, bool, error) {
	g := v.databases[databaseNum].generation
	if g == 0 {
		return Document{}, false, nil
	}
	return readDocument(v.db.kv, v.seq, storeKey(make([]byte, 0, storePrefixBytes+len(key)), prefixDocument, g, key))
}

// KeyScan selects keys of a scan.
type KeyScan struct {
	Prefix   []byte // only keys that start with it
	From     []byte // first key, inclusive
	KeysOnly bool   // the documents are not read
}

// Scan visits keys in byte order until fn returns false. Key and body are borrowed.
func (v *KeyView) Scan(databaseNum int, o KeyScan, fn func(key []byte, d Document) (bool, error)) error {
	g := v.databases[databaseNum].generation
	if g == 0 {
		return nil
	}
	so := payload.ScanOptions{Prefix: storeKey(nil, prefixDocument, g, o.Prefix), KeysOnly: o.KeysOnly}
	if o.From != nil {
		so.From = storeKey(nil, prefixDocument, g, o.From)
	}
	return v.db.kv.Scan(v.seq, so, func(key, value []byte) (bool, error) {
		key = key[storePrefixBytes:]
		if o.KeysOnly {
			return fn(key, Document{})
		}
		d, err := decodeStoredDocument(value)
		if err != nil {
			return false, fmt.Errorf("engine: document at key %q: %w", key, err)
		}
		return fn(key, d)
	})
}

func readDocument(kv kvStore, seq uint64, key []byte) (Document, bool, error) {
	value, err := kv.Get(seq, key, nil)
	if errors.Is(err, payload.ErrNotFound) {
		return Document{}, false, nil
	}
	if err != nil {
		return Document{}, false, fmt.Errorf("engine: read document: %w", err)
	}
	d, err := decodeStoredDocument(value)
	if err != nil {
		return Document{}, false, fmt.Errorf("engine: read document: %w", err)
	}
	return d, true, nil
}

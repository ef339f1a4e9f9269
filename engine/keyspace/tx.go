package keyspace

import (
	"bytes"

	"github.com/isobath/isobath/engine"
)

// maxBody bounds a document.
const maxBody = 512 << 20

// Tx reads and writes the keys of one database at a time inside Update. A method that returns an error has written nothing.
type Tx struct {
	reads
	*record
	database int
}

// record is what the Txs of one Update share.
type record struct {
	space    *Space
	keys     *engine.KeyTx
	sweeping bool
	written  []write

	last      keyName // the newest load, which every write begins with: most commands read what they then write
	lastDoc   engine.Document
	lastFound bool
	lastValid bool
}

// write is a key whose document changed, or a whole database that was flushed.
type write struct {
	keyName
	expire int64       // 0: none, or the key is gone
	kind   engine.Kind // 0: the key is gone
	flush  bool
}

func newTx(s *Space, kt *engine.KeyTx, database int) *Tx {
	return (&record{space: s, keys: kt}).in(database)
}

func (r *record) in(database int) *Tx {
	tx := &Tx{record: r, database: database}
	tx.reads = reads{src: tx, now: r.keys.Now().UnixMilli()}
	return tx
}

// In returns a Tx of the same update for another database, which must exist.
func (tx *Tx) In(database int) *Tx { return tx.record.in(database) }

// Use goes on with another database.
func (tx *Tx) Use(database int) error {
	if database < 0 || database >= tx.space.opt.Databases {
		return ErrDatabase
	}
	tx.database = database
	return nil
}

// Database returns the database in use.
func (tx *Tx) Database() int { return tx.database }

// DBSize returns the number of keys, expired ones that are not yet swept included.
func (tx *Tx) DBSize() int { return tx.keys.Len(tx.database) }

func (tx *Tx) load(key []byte) (engine.Document, bool, error) {
	if tx.lastValid && tx.last.database == tx.database && tx.last.key == string(key) {
		return tx.lastDoc, tx.lastFound, nil
	}
	d, ok, err := tx.keys.Get(tx.database, key)
	if err != nil {
		return engine.Document{}, false, err
	}
	tx.last, tx.lastDoc, tx.lastFound, tx.lastValid = keyName{tx.database, string(key)}, d, ok, true
	return d, ok, nil
}

// put writes a document and keeps its body. A key that had expired is a new key; an expiry in the past deletes.
func (tx *Tx) put(key []byte, d engine.Document) error {
	if len(d.Body) > maxBody {
		return ErrTooLong
	}
	if tx.expired(d) {
		_, err := tx.remove(key)
		return err
	}
	old, ok, err := tx.load(key)
	if err != nil {
		return err
	}
	tx.lastValid = false
	if ok && tx.expired(old) {
		if _, err := tx.keys.Delete(tx.database, key); err != nil {
			return err
		}
		d.Number = 0
	}
	if err := tx.keys.Put(tx.database, key, d); err != nil {
		return err
	}
	tx.written = append(tx.written, write{keyName: tx.last, expire: d.Expire, kind: d.Kind})
	return nil
}

// remove deletes a key, expired or not, and says whether a living one was there.
func (tx *Tx) remove(key []byte) (bool, error) {
	d, ok, err := tx.load(key)
	if err != nil || !ok {
		return false, err
	}
	tx.lastValid = false
	if _, err := tx.keys.Delete(tx.database, key); err != nil {
		return false, err
	}
	tx.written = append(tx.written, write{keyName: tx.last})
	return !tx.expired(d), nil
}

// Del deletes keys and returns how many were there.
func (tx *Tx) Del(keys ...[]byte) (int, error) {
	n := 0
	for _, k := range keys {
		ok, err := tx.remove(k)
		if err != nil {
			return n, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// Rename moves a document with its expiry over whatever dst holds.
func (tx *Tx) Rename(src, dst []byte) error {
	d, ok, err := tx.document(src)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNoKey
	}
	if bytes.Equal(src, dst) {
		return nil
	}
	if err := tx.put(dst, engine.Document{Kind: d.Kind, Expire: d.Expire, Body: d.Body}); err != nil {
		return err
	}
	_, err = tx.remove(src)
	return err
}

// RenameNX is Rename if dst does not exist, and says whether it was done.
func (tx *Tx) RenameNX(src, dst []byte) (bool, error) {
	exists, err := tx.Exists(dst)
	if err != nil {
		return false, err
	}
	if exists {
		if ok, err := tx.Exists(src); err != nil || ok {
			return false, err
		}
		return false, ErrNoKey
	}
	err = tx.Rename(src, dst)
	return err == nil, err
}

// Copy copies a document with its expiry into a database and says whether it did: not without src, and not over an existing
// dst unless replace is set.
func (tx *Tx) Copy(src, dst []byte, database int, replace bool) (bool, error) {
	d, ok, err := tx.document(src)
	if err != nil || !ok {
		return false, err
	}
	home := tx.database
	defer func() { tx.database = home }()
	if err := tx.Use(database); err != nil {
		return false, err
	}
	exists, err := tx.Exists(dst)
	if err != nil || exists && !replace {
		return false, err
	}
	err = tx.put(dst, engine.Document{Kind: d.Kind, Expire: d.Expire, Body: d.Body})
	return err == nil, err
}

// ExpireIf is a condition on a new expiry.
type ExpireIf uint8

// Conditions of EXPIRE; they may be combined as the command allows.
const (
	ExpireNX ExpireIf = 1 << iota // only if there is none
	ExpireXX                      // only if there is one
	ExpireGT                      // only if later; no expiry is later than any
	ExpireLT                      // only if earlier
)

// Expire sets when a key expires, in unix milliseconds, and says whether it did. A moment that has passed deletes the key.
func (tx *Tx) Expire(key []byte, millis int64, cond ExpireIf) (bool, error) {
	d, ok, err := tx.document(key)
	if err != nil || !ok {
		return false, err
	}
	switch {
	case cond&ExpireNX != 0 && d.Expire != 0,
		cond&ExpireXX != 0 && d.Expire == 0,
		cond&ExpireGT != 0 && (d.Expire == 0 || millis <= d.Expire),
		cond&ExpireLT != 0 && d.Expire != 0 && millis >= d.Expire:
		return false, nil
	}
	if millis <= tx.now {
		_, err := tx.remove(key)
		return err == nil, err
	}
	d.Expire = millis
	err = tx.put(key, d)
	return err == nil, err
}

// Persist removes the expiry of a key and says whether there was one.
func (tx *Tx) Persist(key []byte) (bool, error) {
	d, ok, err := tx.document(key)
	if err != nil || !ok || d.Expire == 0 {
		return false, err
	}
	d.Expire = 0
	err = tx.put(key, d)
	return err == nil, err
}

// FlushDB removes all keys and FT indexes of the database in use.
func (tx *Tx) FlushDB() error {
	tx.lastValid = false
	if _, err := tx.keys.Delete(aliasDatabase, aliasKey(tx.database)); err != nil {
		return err
	}
	tx.keys.Flush(tx.database)
	tx.written = append(tx.written, write{keyName: keyName{database: tx.database}, flush: true})
	return nil
}

// FlushAll removes all keys and FT indexes of every database.
func (tx *Tx) FlushAll() {
	tx.lastValid = false
	tx.keys.FlushAll()
	for n := range tx.space.opt.Databases {
		tx.written = append(tx.written, write{keyName: keyName{database: n}, flush: true})
	}
}

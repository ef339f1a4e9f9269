package respapi

import (
	"math"
	"strconv"
	"strings"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
)

var keyCommands = []command{
	{name: "del", arity: -2, flags: flagWrite, cats: "@keyspace", keys: allKeys, group: "generic", since: "1.0.0", summary: "Deletes one or more keys.", run: cmdDel},
	{name: "unlink", arity: -2, flags: flagWrite | flagFast, cats: "@keyspace", keys: allKeys, group: "generic", since: "4.0.0", summary: "Asynchronously deletes one or more keys.", run: cmdDel},
	{name: "exists", arity: -2, flags: readFast, cats: "@keyspace", keys: allKeys, group: "generic", since: "1.0.0", summary: "Determines whether one or more keys exist.", run: cmdExists},
	{name: "touch", arity: -2, flags: readFast, cats: "@keyspace", keys: allKeys, group: "generic", since: "3.2.1", summary: "Returns the number of existing keys out of those specified.", run: cmdExists},
	{name: "type", arity: 2, flags: readFast, cats: "@keyspace", keys: oneKey, group: "generic", since: "1.0.0", summary: "Determines the type of value stored at a key.", run: cmdType},
	{name: "keys", arity: 2, flags: flagRead | flagOutside | flagKeyList, cats: "@keyspace @dangerous", group: "generic", since: "1.0.0", summary: "Returns all key names that match a pattern.", run: cmdKeys},
	{name: "scan", arity: -2, flags: flagRead | flagOutside | flagKeyList, cats: "@keyspace", group: "generic", since: "2.8.0", summary: "Iterates over the key names in the database.", run: cmdScan},
	{name: "randomkey", arity: 1, flags: flagRead | flagOutside | flagKeyList, cats: "@keyspace", group: "generic", since: "1.0.0", summary: "Returns a random key name from the database.", run: cmdRandomKey},
	{name: "rename", arity: 3, flags: flagWrite, cats: "@keyspace", keys: twoKeys, group: "generic", since: "1.0.0", summary: "Renames a key and overwrites the destination.", run: cmdRename},
	{name: "renamenx", arity: 3, flags: flagWrite | flagFast, cats: "@keyspace", keys: twoKeys, group: "generic", since: "1.0.0", summary: "Renames a key only when the target key name doesn't exist.", run: cmdRenameNX},
	{name: "copy", arity: -3, flags: flagWrite | flagDenyOOM, cats: "@keyspace", keys: twoKeys, group: "generic", since: "6.2.0", summary: "Copies the value of a key to a new key.", run: cmdCopy},
	{name: "move", arity: 3, flags: flagWrite | flagFast, cats: "@keyspace", keys: oneKey, group: "generic", since: "1.0.0", summary: "Moves a key to another database.", run: cmdMove},
	{name: "dbsize", arity: 1, flags: readFast, cats: "@keyspace", group: "server", since: "1.0.0", summary: "Returns the number of keys in the database.", run: cmdDBSize},
	{name: "flushdb", arity: -1, flags: flagWrite, cats: "@keyspace @dangerous", group: "server", since: "1.0.0", summary: "Removes all keys from the current database.", run: flush((*keyspace.Tx).FlushDB)},
	{name: "flushall", arity: -1, flags: flagWrite, cats: "@keyspace @dangerous", group: "server", since: "1.0.0", summary: "Removes all keys from all databases.", run: flush(func(tx *keyspace.Tx) error { tx.FlushAll(); return nil })},
	{name: "object", arity: -2, cats: "@keyspace", group: "generic", since: "2.2.3", summary: "A container for object introspection commands.", subs: []command{
		{name: "object|encoding", arity: 3, flags: flagRead, cats: "@keyspace", keys: keySpec{first: 2, last: 2, step: 1}, summary: "Returns the internal encoding of an object.", run: cmdObjectEncoding},
		{name: "object|refcount", arity: 3, flags: flagRead, cats: "@keyspace", keys: keySpec{first: 2, last: 2, step: 1}, summary: "Returns the reference count of a value of a key.", run: objectInt(1)},
		{name: "object|idletime", arity: 3, flags: flagRead, cats: "@keyspace", keys: keySpec{first: 2, last: 2, step: 1}, summary: "Returns the time since the last access to an object.", run: objectInt(0)},
		{name: "object|freq", arity: 3, flags: flagRead, cats: "@keyspace", keys: keySpec{first: 2, last: 2, step: 1}, summary: "Returns the logarithmic access frequency counter of an object.", run: cmdObjectFreq},
		{name: "object|help", arity: 2, cats: "@keyspace", summary: "Returns helpful text about the different subcommands.", run: help("OBJECT",
			"ENCODING <key>", "    Return the kind of internal representation used in order to store the value", "    associated with a <key>.",
			"REFCOUNT <key>", "    Return the number of references of the value associated with the specified", "    <key>.",
			"IDLETIME <key>", "    Return the idle time of the <key>, here always 0.")},
	}},
}

func cmdDel(c *call) error {
	return c.int(func(tx *keyspace.Tx) (int64, error) {
		n, err := tx.Del(c.args[1:]...)
		return int64(n), err
	})
}

func cmdExists(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		n := int64(0)
		for _, key := range c.args[1:] {
			ok, err := r.Exists(key)
			if err != nil {
				return err
			}
			c.srv.stats.lookup(ok)
			if ok {
				n++
			}
		}
		c.w.Int(n)
		return nil
	})
}

func cmdType(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		k, err := r.Type(c.args[1])
		if err == nil {
			c.w.SimpleString(keyspace.TypeName(k))
		}
		return err
	})
}

func cmdKeys(c *call) error {
	return c.keyList(func(l *keyspace.KeyList) error {
		keys, err := l.Keys(c.args[1])
		if err == nil {
			c.bulks(keys)
		}
		return err
	})
}

func parseCursor(b []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0, errCursor
	}
	return n, nil
}

// scanArgs are the options of SCAN and HSCAN.
type scanArgs struct {
	keyspace.ScanOptions
	none     bool // TYPE of a kind that no key has
	noValues bool
}

func parseScan(args [][]byte, hash bool) (o scanArgs, err error) {
	for i := 0; i < len(args); i++ {
		more := i+1 < len(args)
		switch a := args[i]; {
		case is(a, "match") && more:
			i++
			o.Match = args[i]
		case is(a, "count") && more:
			i++
			n, err := parseInt(args[i])
			if err != nil {
				return o, err
			}
			if n < 1 {
				return o, errSyntax
			}
			o.Count = int(min(n, math.MaxInt32))
		case !hash && is(a, "type") && more:
			i++
			o.Kind, o.none = kindNamed(string(args[i]))
		case hash && is(a, "novalues"):
			o.noValues = true
		default:
			return o, errSyntax
		}
	}
	return o, nil
}

func kindNamed(name string) (k engine.Kind, none bool) {
	for _, k := range []engine.Kind{engine.KindString, engine.KindHash, engine.KindJSON} {
		if strings.EqualFold(name, keyspace.TypeName(k)) {
			return k, false
		}
	}
	return 0, true
}

func cmdScan(c *call) error {
	cursor, err := parseCursor(c.args[1])
	if err != nil {
		return err
	}
	o, err := parseScan(c.args[2:], false)
	if err != nil {
		return err
	}
	return c.keyList(func(l *keyspace.KeyList) error {
		next, keys := uint64(0), [][]byte(nil)
		if !o.none {
			if next, keys, err = l.Scan(cursor, o.ScanOptions); err != nil {
				return err
			}
		}
		c.w.Array(2)
		c.w.BulkString(strconv.FormatUint(next, 10))
		c.bulks(keys)
		return nil
	})
}

func cmdRandomKey(c *call) error {
	return c.keyList(func(l *keyspace.KeyList) error {
		key, err := l.RandomKey()
		switch {
		case err != nil:
			return err
		case key == nil:
			c.w.Null()
		default:
			c.w.Bulk(key)
		}
		return nil
	})
}

func cmdRename(c *call) error {
	return c.ok(c.update(func(tx *keyspace.Tx) error { return tx.Rename(c.args[1], c.args[2]) }))
}

func cmdRenameNX(c *call) error {
	var done bool
	err := c.update(func(tx *keyspace.Tx) (err error) {
		done, err = tx.RenameNX(c.args[1], c.args[2])
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

func (c *call) parseDB(b []byte) (int, error) {
	n, err := parseInt(b)
	if err != nil {
		return 0, errNotInteger
	}
	if n < 0 || n >= int64(c.srv.keys.Databases()) {
		return 0, errDBRange
	}
	return int(n), nil
}

func cmdCopy(c *call) (err error) {
	database, replace := c.db, false
	for i := 3; i < len(c.args); i++ {
		switch {
		case is(c.args[i], "replace"):
			replace = true
		case is(c.args[i], "db") && i+1 < len(c.args):
			i++
			if database, err = c.parseDB(c.args[i]); err != nil {
				return err
			}
		default:
			return errSyntax
		}
	}
	if database == c.db && string(c.args[1]) == string(c.args[2]) {
		return replyError("ERR source and destination objects are the same")
	}
	var done bool
	err = c.update(func(tx *keyspace.Tx) (err error) {
		done, err = tx.Copy(c.args[1], c.args[2], database, replace)
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

func cmdMove(c *call) error {
	database, err := c.parseDB(c.args[2])
	if err != nil {
		return err
	}
	if database == c.db {
		return replyError("ERR source and destination objects are the same")
	}
	var done bool
	err = c.update(func(tx *keyspace.Tx) (err error) {
		if done, err = tx.Copy(c.args[1], c.args[1], database, false); done {
			_, err = tx.Del(c.args[1])
		}
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

func cmdDBSize(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		c.w.Int(int64(r.DBSize()))
		return nil
	})
}

func flush(do func(tx *keyspace.Tx) error) func(c *call) error {
	return func(c *call) error {
		if len(c.args) > 2 || len(c.args) == 2 && !is(c.args[1], "async") && !is(c.args[1], "sync") {
			return errSyntax
		}
		return c.ok(c.update(do))
	}
}

func cmdObjectEncoding(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		name, ok, err := r.Encoding(c.args[2])
		switch {
		case err != nil:
			return err
		case !ok:
			c.w.Null()
		default:
			c.w.BulkString(name)
		}
		return nil
	})
}

func objectInt(n int64) func(c *call) error {
	return func(c *call) error {
		return c.read(func(r keyspace.Reader) error {
			ok, err := r.Exists(c.args[2])
			switch {
			case err != nil:
				return err
			case !ok:
				c.w.Null()
			default:
				c.w.Int(n)
			}
			return nil
		})
	}
}

func cmdObjectFreq(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		ok, err := r.Exists(c.args[2])
		switch {
		case err != nil:
			return err
		case ok:
			return errNoLFU
		}
		c.w.Null()
		return nil
	})
}

const errNoLFU replyError = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

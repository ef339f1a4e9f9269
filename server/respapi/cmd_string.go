package respapi

import (
	"time"

	"github.com/isobath/isobath/engine/keyspace"
)

const (
	writeFast = flagWrite | flagDenyOOM | flagFast
	readFast  = flagRead | flagFast
)

var stringCommands = []command{
	{name: "get", arity: 2, flags: readFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Returns the string value of a key.", run: cmdGet},
	{name: "set", arity: -3, flags: flagWrite | flagDenyOOM, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Sets the string value of a key.", run: cmdSet},
	{name: "getset", arity: 3, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Returns the previous string value of a key after setting it to a new value.", run: cmdGetSet},
	{name: "getdel", arity: 2, flags: flagWrite | flagFast, cats: "@string", keys: oneKey, group: "string", since: "6.2.0", summary: "Returns the string value of a key after deleting the key.", run: cmdGetDel},
	{name: "getex", arity: -2, flags: flagWrite | flagFast, cats: "@string", keys: oneKey, group: "string", since: "6.2.0", summary: "Returns the string value of a key after setting its expiration time.", run: cmdGetEx},
	{name: "setnx", arity: 3, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Set the string value of a key only when the key doesn't exist.", run: cmdSetNX},
	{name: "setex", arity: 4, flags: flagWrite | flagDenyOOM, cats: "@string", keys: oneKey, group: "string", since: "2.0.0", summary: "Sets the string value and expiration time of a key.", run: setWithTime(time.Second)},
	{name: "psetex", arity: 4, flags: flagWrite | flagDenyOOM, cats: "@string", keys: oneKey, group: "string", since: "2.6.0", summary: "Sets both string value and expiration time in milliseconds of a key.", run: setWithTime(time.Millisecond)},
	{name: "mget", arity: -2, flags: readFast, cats: "@string", keys: allKeys, group: "string", since: "1.0.0", summary: "Atomically returns the string values of one or more keys.", run: cmdMGet},
	{name: "mset", arity: -3, flags: flagWrite | flagDenyOOM, cats: "@string", keys: pairKeys, group: "string", since: "1.0.1", summary: "Atomically creates or modifies the string values of one or more keys.", run: cmdMSet},
	{name: "msetnx", arity: -3, flags: flagWrite | flagDenyOOM, cats: "@string", keys: pairKeys, group: "string", since: "1.0.1", summary: "Atomically modifies the string values of one or more keys only when all keys don't exist.", run: cmdMSetNX},
	{name: "incr", arity: 2, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Increments the integer value of a key by one.", run: func(c *call) error { return incr(c, 1) }},
	{name: "decr", arity: 2, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Decrements the integer value of a key by one.", run: func(c *call) error { return incr(c, -1) }},
	{name: "incrby", arity: 3, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Increments the integer value of a key by a number.", run: cmdIncrBy},
	{name: "decrby", arity: 3, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Decrements a number from the integer value of a key.", run: cmdDecrBy},
	{name: "incrbyfloat", arity: 3, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "2.6.0", summary: "Increment the floating point value of a key by a number.", run: cmdIncrByFloat},
	{name: "append", arity: 3, flags: writeFast, cats: "@string", keys: oneKey, group: "string", since: "2.0.0", summary: "Appends a string to the value of a key.", run: cmdAppend},
	{name: "strlen", arity: 2, flags: readFast, cats: "@string", keys: oneKey, group: "string", since: "2.2.0", summary: "Returns the length of a string value.", run: cmdStrLen},
	{name: "getrange", arity: 4, flags: flagRead, cats: "@string", keys: oneKey, group: "string", since: "2.4.0", summary: "Returns a substring of the string stored at a key.", run: cmdGetRange},
	{name: "substr", arity: 4, flags: flagRead, cats: "@string", keys: oneKey, group: "string", since: "1.0.0", summary: "Returns a substring from a string value.", run: cmdGetRange},
	{name: "setrange", arity: 4, flags: flagWrite | flagDenyOOM, cats: "@string", keys: oneKey, group: "string", since: "2.2.0", summary: "Overwrites a part of a string value with another by an offset.", run: cmdSetRange},
}

// bulkOrNull writes a value that may be absent and counts the lookup.
func (c *call) bulkOrNull(v []byte, ok bool) {
	c.srv.stats.lookup(ok)
	if !ok {
		c.w.Null()
		return
	}
	c.w.Bulk(v)
}

func (c *call) boolInt(b bool) {
	if b {
		c.w.Int(1)
		return
	}
	c.w.Int(0)
}

func cmdGet(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		v, ok, err := r.Get(c.args[1])
		if err == nil {
			c.bulkOrNull(v, ok)
		}
		return err
	})
}

// setArgs are the parsed options of SET and GETEX.
type setArgs struct {
	keyspace.SetOptions
	unit     time.Duration // of value; 0: no expiry given
	absolute bool
	value    int64
	persist  bool
}

// parseSet reads the options of SET, or of GETEX when getex is set.
func parseSet(args [][]byte, getex bool) (o setArgs, err error) {
	timed := func(unit time.Duration, absolute bool, i *int) error {
		*i++
		if o.unit != 0 || o.KeepTTL || o.persist || *i >= len(args) {
			return errSyntax
		}
		o.unit, o.absolute = unit, absolute
		o.value, err = parseInt(args[*i])
		return err
	}
	for i := 0; i < len(args); i++ {
		a, err := args[i], error(nil)
		switch {
		case is(a, "ex"):
			err = timed(time.Second, false, &i)
		case is(a, "px"):
			err = timed(time.Millisecond, false, &i)
		case is(a, "exat"):
			err = timed(time.Second, true, &i)
		case is(a, "pxat"):
			err = timed(time.Millisecond, true, &i)
		case getex && is(a, "persist") && o.unit == 0:
			o.persist = true
		case !getex && is(a, "keepttl") && o.unit == 0:
			o.KeepTTL = true
		case !getex && is(a, "nx") && !o.XX:
			o.NX = true
		case !getex && is(a, "xx") && !o.NX:
			o.XX = true
		case !getex && is(a, "get"):
			o.Get = true
		default:
			err = errSyntax
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func cmdSet(c *call) error {
	o, err := parseSet(c.args[3:], false)
	if err != nil {
		return err
	}
	if o.unit != 0 && o.value <= 0 {
		return replyError("ERR invalid expire time in 'set' command")
	}
	var res keyspace.SetResult
	err = c.update(func(tx *keyspace.Tx) error {
		opt := o.SetOptions
		if o.unit != 0 {
			if opt.Expire, err = positive("set", tx.Now(), o.value, o.unit, o.absolute); err != nil {
				return err
			}
		}
		res, err = tx.Set(c.args[1], c.args[2], opt)
		return err
	})
	switch {
	case err != nil:
		return err
	case o.Get:
		c.bulkOrNull(res.Old, res.Existed)
	case res.Done:
		c.w.SimpleString("OK")
	default:
		c.w.Null()
	}
	return nil
}

func cmdGetSet(c *call) error {
	var res keyspace.SetResult
	err := c.update(func(tx *keyspace.Tx) (err error) {
		res, err = tx.Set(c.args[1], c.args[2], keyspace.SetOptions{Get: true})
		return err
	})
	if err == nil {
		c.bulkOrNull(res.Old, res.Existed)
	}
	return err
}

func cmdGetDel(c *call) error {
	var v []byte
	var ok bool
	err := c.update(func(tx *keyspace.Tx) (err error) {
		v, ok, err = tx.GetDel(c.args[1])
		return err
	})
	if err == nil {
		c.bulkOrNull(v, ok)
	}
	return err
}

func cmdGetEx(c *call) error {
	o, err := parseSet(c.args[2:], true)
	if err != nil {
		return err
	}
	if o.unit == 0 && !o.persist {
		return cmdGet(c)
	}
	var v []byte
	var ok bool
	err = c.update(func(tx *keyspace.Tx) (err error) {
		var at int64
		if o.unit != 0 {
			if at, err = positive("getex", tx.Now(), o.value, o.unit, o.absolute); err != nil {
				return err
			}
		}
		v, ok, err = tx.GetEx(c.args[1], at)
		return err
	})
	if err == nil {
		c.bulkOrNull(v, ok)
	}
	return err
}

func cmdSetNX(c *call) error {
	var res keyspace.SetResult
	err := c.update(func(tx *keyspace.Tx) (err error) {
		res, err = tx.Set(c.args[1], c.args[2], keyspace.SetOptions{NX: true})
		return err
	})
	if err == nil {
		c.boolInt(res.Done)
	}
	return err
}

func setWithTime(unit time.Duration) func(c *call) error {
	return func(c *call) error {
		n, err := parseInt(c.args[2])
		if err != nil {
			return err
		}
		err = c.update(func(tx *keyspace.Tx) error {
			at, err := positive(c.cmd.name, tx.Now(), n, unit, false)
			if err == nil {
				_, err = tx.Set(c.args[1], c.args[3], keyspace.SetOptions{Expire: at})
			}
			return err
		})
		return c.ok(err)
	}
}

// ok writes OK unless err is set.
func (c *call) ok(err error) error {
	if err == nil {
		c.w.SimpleString("OK")
	}
	return err
}

func cmdMGet(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		c.w.Array(len(c.args) - 1)
		for _, key := range c.args[1:] {
			v, ok, err := r.Get(key)
			if err != nil && errorText(err) != errorText(keyspace.ErrWrongType) {
				return err
			}
			c.bulkOrNull(v, ok)
		}
		return nil
	})
}

// pairs returns args as names and values.
func (c *call) pairs(args [][]byte) ([]keyspace.Field, error) {
	if len(args) == 0 || len(args)%2 != 0 {
		return nil, errArity(c.cmd.name)
	}
	out := make([]keyspace.Field, 0, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		out = append(out, keyspace.Field{Name: args[i], Value: args[i+1]})
	}
	return out, nil
}

func cmdMSet(c *call) error {
	pairs, err := c.pairs(c.args[1:])
	if err != nil {
		return err
	}
	return c.ok(c.update(func(tx *keyspace.Tx) error { return tx.MSet(pairs...) }))
}

func cmdMSetNX(c *call) error {
	pairs, err := c.pairs(c.args[1:])
	if err != nil {
		return err
	}
	var done bool
	err = c.update(func(tx *keyspace.Tx) (err error) {
		done, err = tx.MSetNX(pairs...)
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

// longest is the longest string that commands may make.
func (c *call) longest() int { return c.srv.config.Int("proto-max-bulk-len") }

func cmdAppend(c *call) error {
	return c.int(func(tx *keyspace.Tx) (int64, error) {
		if v, _, err := tx.Get(c.args[1]); err == nil && len(v)+len(c.args[2]) > c.longest() {
			return 0, keyspace.ErrTooLong
		}
		n, err := tx.Append(c.args[1], c.args[2])
		return int64(n), err
	})
}

func cmdStrLen(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		v, ok, err := r.Get(c.args[1])
		if err == nil {
			c.srv.stats.lookup(ok)
			c.w.Int(int64(len(v)))
		}
		return err
	})
}

func cmdGetRange(c *call) error {
	start, err := parseInt(c.args[2])
	if err != nil {
		return err
	}
	end, err := parseInt(c.args[3])
	if err != nil {
		return err
	}
	return c.read(func(r keyspace.Reader) error {
		v, ok, err := r.Get(c.args[1])
		if err == nil {
			c.srv.stats.lookup(ok)
			c.w.Bulk(slice(v, start, end))
		}
		return err
	})
}

// slice cuts v from start to end, both inclusive, negative ones from the end.
func slice(v []byte, start, end int64) []byte {
	n := int64(len(v))
	if start < 0 && end < 0 && start > end {
		return nil
	}
	if start < 0 {
		start = max(0, start+n)
	}
	if end < 0 {
		end = max(0, end+n)
	}
	end = min(end, n-1)
	if n == 0 || start > end {
		return nil
	}
	return v[start : end+1]
}

func cmdSetRange(c *call) error {
	at, err := parseInt(c.args[2])
	if err != nil {
		return err
	}
	// A short command must not make a long value.
	if len(c.args[3]) > 0 && at > int64(c.longest()-len(c.args[3])) {
		return keyspace.ErrTooLong
	}
	return c.int(func(tx *keyspace.Tx) (int64, error) {
		n, err := tx.SetRange(c.args[1], int(at), c.args[3])
		return int64(n), err
	})
}

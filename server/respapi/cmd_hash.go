package respapi

import (
	"github.com/isobath/isobath/engine/keyspace"
)

var hashCommands = []command{
	{name: "hset", arity: -4, flags: writeFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Creates or modifies the value of a field in a hash.", run: cmdHSet},
	{name: "hmset", arity: -4, flags: writeFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Sets the values of multiple fields.", run: cmdHSet},
	{name: "hsetnx", arity: 4, flags: writeFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Sets the value of a field in a hash only when the field doesn't exist.", run: cmdHSetNX},
	{name: "hget", arity: 3, flags: readFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns the value of a field in a hash.", run: cmdHGet},
	{name: "hmget", arity: -3, flags: readFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns the values of all fields in a hash.", run: cmdHMGet},
	{name: "hgetall", arity: 2, flags: flagRead, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns all fields and values in a hash.", run: cmdHGetAll},
	{name: "hkeys", arity: 2, flags: flagRead, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns all fields in a hash.", run: cmdHKeys},
	{name: "hvals", arity: 2, flags: flagRead, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns all values in a hash.", run: cmdHVals},
	{name: "hdel", arity: -3, flags: flagWrite | flagFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.", run: cmdHDel},
	{name: "hexists", arity: 3, flags: readFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Determines whether a field exists in a hash.", run: cmdHExists},
	{name: "hlen", arity: 2, flags: readFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns the number of fields in a hash.", run: cmdHLen},
	{name: "hstrlen", arity: 3, flags: readFast, cats: "@hash", keys: oneKey, group: "hash", since: "3.2.0", summary: "Returns the length of the value of a field.", run: cmdHStrLen},
	{name: "hincrby", arity: 4, flags: writeFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.0.0", summary: "Increments the integer value of a field in a hash by a number.", run: cmdHIncrBy},
	{name: "hincrbyfloat", arity: 4, flags: writeFast, cats: "@hash", keys: oneKey, group: "hash", since: "2.6.0", summary: "Increments the floating point value of a field by a number.", run: cmdHIncrByFloat},
	{name: "hrandfield", arity: -2, flags: flagRead, cats: "@hash", keys: oneKey, group: "hash", since: "6.2.0", summary: "Returns one or more random fields from a hash.", run: cmdHRandField},
	{name: "hscan", arity: -3, flags: flagRead, cats: "@hash", keys: oneKey, group: "hash", since: "2.8.0", summary: "Iterates over fields and values of a hash.", run: cmdHScan},
	{name: "hgetdel", arity: -5, flags: flagWrite | flagFast, cats: "@hash", keys: oneKey, group: "hash", since: "8.0.0", summary: "Returns the value of a field and deletes it from the hash.", run: cmdHGetDel},
}

func cmdHSet(c *call) error {
	fields, err := c.pairs(c.args[2:])
	if err != nil {
		return err
	}
	added := 0
	err = c.update(func(tx *keyspace.Tx) (err error) {
		added, err = tx.HSet(c.args[1], fields...)
		return err
	})
	if err == nil && c.cmd.name == "hset" {
		c.w.Int(int64(added))
		return nil
	}
	return c.ok(err)
}

func cmdHSetNX(c *call) error {
	var done bool
	err := c.update(func(tx *keyspace.Tx) (err error) {
		done, err = tx.HSetNX(c.args[1], keyspace.Field{Name: c.args[2], Value: c.args[3]})
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

func cmdHGet(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		v, ok, err := r.HGet(c.args[1], c.args[2])
		if err == nil {
			c.bulkOrNull(v, ok)
		}
		return err
	})
}

func cmdHMGet(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		values, err := r.HMGet(c.args[1], c.args[2:]...)
		if err != nil {
			return err
		}
		c.w.Array(len(values))
		for _, v := range values {
			c.bulkOrNull(v, v != nil)
		}
		return nil
	})
}

// fields reads all fields of the hash at args[1].
func (c *call) fields(fn func(all []keyspace.Field)) error {
	return c.read(func(r keyspace.Reader) error {
		all, err := r.HGetAll(c.args[1])
		if err == nil {
			c.srv.stats.lookup(len(all) > 0)
			fn(all)
		}
		return err
	})
}

func cmdHGetAll(c *call) error {
	return c.fields(func(all []keyspace.Field) {
		c.w.Map(len(all))
		for _, f := range all {
			c.w.Bulk(f.Name)
			c.w.Bulk(f.Value)
		}
	})
}

func cmdHKeys(c *call) error {
	return c.fields(func(all []keyspace.Field) {
		c.w.Array(len(all))
		for _, f := range all {
			c.w.Bulk(f.Name)
		}
	})
}

func cmdHVals(c *call) error {
	return c.fields(func(all []keyspace.Field) {
		c.w.Array(len(all))
		for _, f := range all {
			c.w.Bulk(f.Value)
		}
	})
}

func cmdHDel(c *call) error {
	return c.int(func(tx *keyspace.Tx) (int64, error) {
		n, err := tx.HDel(c.args[1], c.args[2:]...)
		return int64(n), err
	})
}

func cmdHExists(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		_, ok, err := r.HGet(c.args[1], c.args[2])
		if err == nil {
			c.srv.stats.lookup(ok)
			c.boolInt(ok)
		}
		return err
	})
}

func cmdHLen(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		n, err := r.HLen(c.args[1])
		if err == nil {
			c.srv.stats.lookup(n > 0)
			c.w.Int(int64(n))
		}
		return err
	})
}

func cmdHStrLen(c *call) error {
	return c.read(func(r keyspace.Reader) error {
		n, err := r.HStrLen(c.args[1], c.args[2])
		if err == nil {
			c.w.Int(int64(n))
		}
		return err
	})
}

func cmdHIncrBy(c *call) error {
	by, err := parseInt(c.args[3])
	if err != nil {
		return err
	}
	return c.int(func(tx *keyspace.Tx) (int64, error) { return tx.HIncrBy(c.args[1], c.args[2], by) })
}

func cmdHIncrByFloat(c *call) error {
	var sum []byte
	err := c.update(func(tx *keyspace.Tx) (err error) {
		sum, err = tx.HIncrByFloat(c.args[1], c.args[2], c.args[3])
		return err
	})
	if err == nil {
		c.w.Bulk(sum)
	}
	return err
}

// maxRepeats bounds how many fields HRANDFIELD repeats at a client's wish.
const maxRepeats = 1 << 20

func cmdHRandField(c *call) error {
	count, withValues := int64(1), false
	var err error
	switch len(c.args) {
	case 4:
		if withValues = is(c.args[3], "withvalues"); !withValues {
			return errSyntax
		}
		fallthrough
	case 3:
		if count, err = parseInt(c.args[2]); err != nil {
			return err
		}
		if count < -maxRepeats {
			return replyError("ERR value is out of range")
		}
	case 2:
	default:
		return errSyntax
	}
	return c.read(func(r keyspace.Reader) error {
		fields, err := r.HRandField(c.args[1], int(count))
		if err != nil {
			return err
		}
		if len(c.args) == 2 {
			if len(fields) == 0 {
				c.w.Null()
				return nil
			}
			c.w.Bulk(fields[0].Name)
			return nil
		}
		c.writeFields(fields, withValues)
		return nil
	})
}

// writeFields writes names, or names and values: version 2 flat, version 3 in pairs.
func (c *call) writeFields(fields []keyspace.Field, withValues bool) {
	n := len(fields)
	if withValues && c.w.Protocol() < 3 {
		n *= 2
	}
	c.w.Array(n)
	for _, f := range fields {
		if withValues && c.w.Protocol() >= 3 {
			c.w.Array(2)
		}
		c.w.Bulk(f.Name)
		if withValues {
			c.w.Bulk(f.Value)
		}
	}
}

// cmdHScan returns a hash whole in one step: it is one document in memory anyway.
func cmdHScan(c *call) error {
	if _, err := parseCursor(c.args[2]); err != nil {
		return err
	}
	o, err := parseScan(c.args[3:], true)
	if err != nil {
		return err
	}
	return c.fields(func(all []keyspace.Field) {
		var out [][]byte
		for _, f := range all {
			if o.Match != nil && !keyspace.Glob(o.Match, f.Name) {
				continue
			}
			out = append(out, f.Name)
			if !o.noValues {
				out = append(out, f.Value)
			}
		}
		c.w.Array(2)
		c.w.BulkString("0")
		c.bulks(out)
	})
}

// bulks writes an array of byte strings.
func (c *call) bulks(list [][]byte) {
	c.w.Array(len(list))
	for _, b := range list {
		c.w.Bulk(b)
	}
}

// cmdHGetDel is HGETDEL key FIELDS n field...
func cmdHGetDel(c *call) error {
	if !is(c.args[2], "fields") {
		return replyError("ERR Mandatory argument FIELDS is missing or not at the right position")
	}
	n, err := parseInt(c.args[3])
	if err != nil || n <= 0 {
		return replyError("ERR Number of fields must be a positive integer")
	}
	if n != int64(len(c.args)-4) {
		return replyError("ERR The `numfields` parameter must match the number of arguments")
	}
	var values [][]byte
	err = c.update(func(tx *keyspace.Tx) (err error) {
		values, err = tx.HGetDel(c.args[1], c.args[4:]...)
		return err
	})
	if err != nil {
		return err
	}
	c.w.Array(len(values))
	for _, v := range values {
		c.bulkOrNull(v, v != nil)
	}
	return nil
}

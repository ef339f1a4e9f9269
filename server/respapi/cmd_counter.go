package respapi

import (
	"math"

	"github.com/isobath/isobath/engine/keyspace"
)

// int writes the integer that an update computes.
func (c *call) int(fn func(tx *keyspace.Tx) (int64, error)) error {
	var n int64
	err := c.update(func(tx *keyspace.Tx) (err error) {
		n, err = fn(tx)
		return err
	})
	if err == nil {
		c.w.Int(n)
	}
	return err
}

func incr(c *call, by int64) error {
	return c.int(func(tx *keyspace.Tx) (int64, error) { return tx.IncrBy(c.args[1], by) })
}

func cmdIncrBy(c *call) error {
	by, err := parseInt(c.args[2])
	if err != nil {
		return err
	}
	return incr(c, by)
}

func cmdDecrBy(c *call) error {
	by, err := parseInt(c.args[2])
	if err != nil {
		return err
	}
	if by == math.MinInt64 {
		return replyError("ERR decrement would overflow")
	}
	return incr(c, -by)
}

func cmdIncrByFloat(c *call) error {
	var sum []byte
	err := c.update(func(tx *keyspace.Tx) (err error) {
		sum, err = tx.IncrByFloat(c.args[1], c.args[2])
		return err
	})
	if err == nil {
		c.w.Bulk(sum)
	}
	return err
}

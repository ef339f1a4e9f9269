package respapi

import (
	"math"
	"time"

	"github.com/isobath/isobath/engine/keyspace"
)

var expiryCommands = []command{
	expireCommand("expire", "1.0.0", "Sets the expiration time of a key in seconds.", time.Second, false),
	expireCommand("pexpire", "2.6.0", "Sets the expiration time of a key in milliseconds.", time.Millisecond, false),
	expireCommand("expireat", "1.2.0", "Sets the expiration time of a key to a Unix timestamp.", time.Second, true),
	expireCommand("pexpireat", "2.6.0", "Sets the expiration time of a key to a Unix milliseconds timestamp.", time.Millisecond, true),
	ttlCommand("ttl", "1.0.0", "Returns the expiration time in seconds of a key.", func(at, now int64) int64 { return max(0, at-now+500) / 1000 }),
	ttlCommand("pttl", "2.6.0", "Returns the expiration time in milliseconds of a key.", func(at, now int64) int64 { return max(0, at-now) }),
	ttlCommand("expiretime", "7.0.0", "Returns the expiration time of a key as a Unix timestamp.", func(at, _ int64) int64 { return (at + 500) / 1000 }),
	ttlCommand("pexpiretime", "7.0.0", "Returns the expiration time of a key as a Unix milliseconds timestamp.", func(at, _ int64) int64 { return at }),
	{name: "persist", arity: 2, flags: flagWrite | flagFast, cats: "@keyspace", keys: oneKey, group: "generic", since: "2.2.0", summary: "Removes the expiration time of a key.", run: cmdPersist},
}

// deadline turns a count of units into unix milliseconds.
func deadline(name string, now time.Time, value int64, unit time.Duration, absolute bool) (int64, error) {
	bad := replyError("ERR invalid expire time in '" + name + "' command")
	scale := int64(unit / time.Millisecond)
	if value > math.MaxInt64/scale || value < math.MinInt64/scale {
		return 0, bad
	}
	ms := value * scale
	if !absolute {
		if ms > 0 && ms > math.MaxInt64-now.UnixMilli() {
			return 0, bad
		}
		ms += now.UnixMilli()
	}
	return ms, nil
}

// positive is deadline for commands that refuse zero and less.
func positive(name string, now time.Time, value int64, unit time.Duration, absolute bool) (int64, error) {
	if value <= 0 {
		return 0, replyError("ERR invalid expire time in '" + name + "' command")
	}
	return deadline(name, now, value, unit, absolute)
}

func expireCommand(name, since, summary string, unit time.Duration, absolute bool) command {
	return command{name: name, arity: -3, flags: flagWrite | flagFast, cats: "@keyspace", keys: oneKey, group: "generic",
		since: since, summary: summary, run: func(c *call) error { return expire(c, unit, absolute) }}
}

func expire(c *call, unit time.Duration, absolute bool) error {
	cond, err := parseExpireIf(c.args[3:])
	if err != nil {
		return err
	}
	n, err := parseInt(c.args[2])
	if err != nil {
		return err
	}
	var done bool
	err = c.update(func(tx *keyspace.Tx) error {
		at, err := deadline(c.cmd.name, tx.Now(), n, unit, absolute)
		if err == nil {
			done, err = tx.Expire(c.args[1], at, cond)
		}
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

func parseExpireIf(args [][]byte) (cond keyspace.ExpireIf, err error) {
	for _, a := range args {
		switch {
		case is(a, "nx"):
			cond |= keyspace.ExpireNX
		case is(a, "xx"):
			cond |= keyspace.ExpireXX
		case is(a, "gt"):
			cond |= keyspace.ExpireGT
		case is(a, "lt"):
			cond |= keyspace.ExpireLT
		default:
			return 0, replyError("ERR Unsupported option " + string(a))
		}
	}
	if cond&keyspace.ExpireNX != 0 && cond != keyspace.ExpireNX {
		return 0, replyError("ERR NX and XX, GT or LT options at the same time are not compatible")
	}
	if cond&keyspace.ExpireGT != 0 && cond&keyspace.ExpireLT != 0 {
		return 0, replyError("ERR GT and LT options at the same time are not compatible")
	}
	return cond, nil
}

// ttlCommand replies -2 without a key and -1 without an expiry.
func ttlCommand(name, since, summary string, of func(at, now int64) int64) command {
	return command{name: name, arity: 2, flags: readFast, cats: "@keyspace", keys: oneKey, group: "generic",
		since: since, summary: summary, run: func(c *call) error {
			return c.read(func(r keyspace.Reader) error {
				at, ok, err := r.Expiry(c.args[1])
				switch {
				case err != nil:
					return err
				case !ok:
					c.w.Int(-2)
				case at == 0:
					c.w.Int(-1)
				default:
					c.w.Int(of(at, r.Now().UnixMilli()))
				}
				return nil
			})
		}}
}

func cmdPersist(c *call) error {
	var done bool
	err := c.update(func(tx *keyspace.Tx) (err error) {
		done, err = tx.Persist(c.args[1])
		return err
	})
	if err == nil {
		c.boolInt(done)
	}
	return err
}

package respapi

import (
	"strings"

	"github.com/isobath/isobath/engine/keyspace"
)

// ftParams are the names of FT.CONFIG and the parameters of CONFIG that they stand for.
var ftParams = []struct{ name, param, help string }{
	{"DEFAULT_DIALECT", "search.default-dialect", "Dialect of queries that name none"},
	{"MAXAGGREGATERESULTS", "search.max-aggregate-results", "Largest number of rows of FT.AGGREGATE"},
	{"MAXSEARCHRESULTS", "search.max-search-results", "Largest LIMIT of FT.SEARCH"},
	{"MINPREFIX", "search.tag-min-prefix-length", "Shortest prefix of a prefix query"},
	{"ON_TIMEOUT", "search.on-timeout", "What a query does when its time is up: fail or return"},
	{"TIMEOUT", "search.default-timeout-ms", "Time limit of queries in milliseconds"},
	{"WORKERS", "search.query-threads", "Threads that run queries"},
}

// ftConfig runs when no subcommand is given.
func ftConfig(c *call) error { return errArity("ft.config") }

func ftConfigGet(c *call) error {
	pattern := []byte(strings.ToUpper(string(c.args[2])))
	var found [][2]string
	for _, p := range ftParams {
		if keyspace.Glob(pattern, []byte(p.name)) {
			found = append(found, [2]string{p.name, c.srv.config.String(p.param)})
		}
	}
	if c.w.Protocol() >= 3 {
		c.w.Map(len(found))
	} else {
		c.w.Array(len(found))
	}
	for _, f := range found {
		if c.w.Protocol() < 3 {
			c.w.Array(2)
		}
		c.w.BulkString(f[0])
		c.w.BulkString(f[1])
	}
	return nil
}

func ftConfigSet(c *call) error {
	for _, p := range ftParams {
		if is(c.args[2], p.name) {
			if err := c.srv.config.Set([][]byte{[]byte(p.param), c.args[3]}); err != nil {
				return err
			}
			c.w.SimpleString("OK")
			return nil
		}
	}
	return ftErrorf("Invalid option")
}

func ftConfigHelp(c *call) error {
	pattern := []byte(strings.ToUpper(string(c.args[2])))
	var rows [][]string
	for _, p := range ftParams {
		if keyspace.Glob(pattern, []byte(p.name)) {
			rows = append(rows, []string{p.name, "Description", p.help, "Value", c.srv.config.String(p.param)})
		}
	}
	c.w.Array(len(rows))
	for _, r := range rows {
		c.w.Array(len(r))
		for _, s := range r {
			c.w.BulkString(s)
		}
	}
	return nil
}

package respapi

import (
	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
)

var ftAliasCommands = []command{
	{name: "ft.aliasadd", arity: 3, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Adds an alias to the index.", run: ftAliasAdd},
	{name: "ft._aliasaddifnx", arity: 3, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Adds an alias to the index unless it exists.", run: ftAliasAddIfNew},
	{name: "ft.aliasupdate", arity: 3, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Adds or updates an alias to the index.", run: ftAliasUpdate},
	{name: "ft.aliasdel", arity: 2, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Deletes an alias from the index.", run: ftAliasDel},
	{name: "ft._aliasdelifx", arity: 2, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Deletes an alias if it exists.", run: ftAliasDelIfThere},
	{name: "ft._aliaslist", arity: 1, flags: flagRead | flagOutside, cats: "@search @admin", group: "search", since: "1.0.0",
		summary: "Lists all aliases with their indexes.", run: ftAliases},
	{name: "ft.aliaslist", arity: 2, flags: flagRead | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Lists the aliases of an index.", run: ftAliasesOf},
}

const (
	errAliasExists   replyError = "Alias already exists"
	errAliasAbsent   replyError = "Alias does not exist"
	errAliasTarget   replyError = "Unknown index name (or name is an alias itself)"
	errAliasConflict replyError = "Alias conflicts with an existing index name"
)

// resolve returns the collection behind an index name or an alias.
func (c *call) resolve(name []byte) (*engine.Collection, error) {
	col, err := c.srv.engine.Index(c.db, string(name))
	if err == nil {
		return col, nil
	}
	index, ok, aliasErr := c.aliasTarget(name)
	if aliasErr != nil {
		return nil, aliasErr
	}
	if !ok {
		return nil, err
	}
	return c.srv.engine.Index(c.db, index)
}

// aliasTarget returns the index an alias was given to.
func (c *call) aliasTarget(alias []byte) (string, bool, error) {
	v := c.srv.keys.View(c.db)
	defer v.Close()
	index, ok, err := v.IndexAlias(alias)
	return string(index), ok, err
}

// maxAlias bounds the bytes of an alias, as those of a key are.
const maxAlias = 32 << 10

func ftAliasAdd(c *call) error    { return c.setAlias(false) }
func ftAliasUpdate(c *call) error { return c.setAlias(true) }

func ftAliasAddIfNew(c *call) error { return okIf(c, ftAliasAdd(c), errAliasExists) }

func (c *call) setAlias(replace bool) error {
	if err := c.sync(); err != nil {
		return err
	}
	alias, index := string(c.args[1]), string(c.args[2])
	if len(alias) > maxAlias {
		return ftErrorf("Alias of %d bytes exceeds the maximum of %d", len(alias), maxAlias)
	}
	if _, err := c.srv.engine.Index(c.db, alias); err == nil {
		return errAliasConflict
	}
	if _, err := c.srv.engine.Index(c.db, index); err != nil {
		return errAliasTarget
	}
	if _, err := c.resolve(c.args[1]); err == nil && !replace {
		return errAliasExists
	}
	gone, _, err := c.aliasTarget(c.args[1]) // of an index that is gone
	if err != nil {
		return err
	}
	err = c.editAliases(func(aliases map[string]string) (bool, error) {
		old, taken := aliases[alias]
		if taken && !replace && old != gone {
			return false, errAliasExists
		}
		aliases[alias] = index
		return !taken || old != index, nil
	})
	if err == nil {
		c.w.SimpleString("OK")
	}
	return err
}

func ftAliasDel(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	alias := string(c.args[1])
	err := c.editAliases(func(aliases map[string]string) (bool, error) {
		if _, ok := aliases[alias]; !ok {
			return false, errAliasAbsent
		}
		delete(aliases, alias)
		return true, nil
	})
	if err == nil {
		c.w.SimpleString("OK")
	}
	return err
}

func ftAliasDelIfThere(c *call) error { return okIf(c, ftAliasDel(c), errAliasAbsent) }

func (c *call) editAliases(edit func(aliases map[string]string) (bool, error)) error {
	return c.update(func(tx *keyspace.Tx) error { return tx.EditIndexAliases(edit) })
}

// dropAliases removes the aliases of an index that is gone, so that they do not come back with another of its name.
func (c *call) dropAliases(index string) error {
	return c.editAliases(func(aliases map[string]string) (changed bool, err error) {
		for alias, target := range aliases {
			if target == index {
				delete(aliases, alias)
				changed = true
			}
		}
		return changed, nil
	})
}

// aliases returns the aliases whose index exists.
func (c *call) aliases() ([]keyspace.Field, error) {
	if err := c.sync(); err != nil {
		return nil, err
	}
	v := c.srv.keys.View(c.db)
	defer v.Close()
	all, err := v.IndexAliases()
	if err != nil {
		return nil, err
	}
	var out []keyspace.Field
	for _, f := range all {
		if _, err := c.srv.engine.Index(c.db, string(f.Value)); err == nil {
			out = append(out, f)
		}
	}
	return out, nil
}

func ftAliases(c *call) error {
	all, err := c.aliases()
	if err != nil {
		return err
	}
	c.w.Array(len(all))
	for _, f := range all {
		c.w.Array(2)
		c.w.Bulk(f.Name)
		c.w.Bulk(f.Value)
	}
	return nil
}

func ftAliasesOf(c *call) error {
	all, err := c.aliases()
	if err != nil {
		return err
	}
	x, err := c.index(c.args[1])
	if err != nil {
		return ftError(err)
	}
	var names [][]byte
	for _, f := range all {
		if string(f.Value) == x.def.Name {
			names = append(names, f.Name)
		}
	}
	c.w.Set(len(names))
	for _, n := range names {
		c.w.Bulk(n)
	}
	return nil
}

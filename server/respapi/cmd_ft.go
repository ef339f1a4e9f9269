package respapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/filter/querylang"
)

var ftCommands = []command{
	{name: "ft.create", arity: -2, flags: flagWrite | flagDenyOOM | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Creates an index with the given spec.", run: ftCreate},
	{name: "ft._createifnx", arity: -2, flags: flagWrite | flagDenyOOM | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Creates an index unless it exists.", run: ftCreateIfNew},
	{name: "ft.dropindex", arity: -2, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "2.0.0",
		summary: "Deletes the index.", run: ftDropIndex},
	{name: "ft._dropindexifx", arity: -2, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "2.0.0",
		summary: "Deletes the index if it exists.", run: ftDropIndexIfThere},
	{name: "ft.drop", arity: -2, flags: flagWrite | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Deletes the index and its documents.", run: ftDrop},
	{name: "ft._list", arity: 1, flags: flagRead | flagOutside, cats: "@search @admin", group: "search", since: "2.0.0",
		summary: "Returns a list of all existing indexes.", run: ftList},
	{name: "ft.info", arity: -2, flags: flagRead | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Returns information and statistics on the index.", run: ftInfo},
	{name: "ft.search", arity: -3, flags: flagRead | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Searches the index with a query, returning either documents or just ids.", run: ftSearch},
	{name: "ft.profile", arity: -5, flags: flagRead | flagOutside, cats: "@search", group: "search", since: "2.2.0",
		summary: "Runs a query and tells how it went.", run: ftProfile},
	{name: "ft.explain", arity: -3, flags: flagRead | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Returns the execution plan for a complex query.", run: ftExplain},
	{name: "ft.explaincli", arity: -3, flags: flagRead | flagFast | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Returns the execution plan for a complex query, a line an element.", run: ftExplainCLI},
	{name: "ft.tagvals", arity: 3, flags: flagRead | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Returns the distinct tags indexed in a Tag field.", run: ftTagVals},
	{name: "ft.config", arity: -2, flags: flagAdmin | flagOutside, cats: "@search", group: "search", since: "1.0.0",
		summary: "Reads and writes parameters of the search.", run: ftConfig, subs: []command{
			{name: "ft.config|get", arity: 3, flags: flagAdmin | flagOutside, cats: "@search", summary: "Retrieves parameters.", run: ftConfigGet},
			{name: "ft.config|set", arity: 4, flags: flagAdmin | flagOutside, cats: "@search", summary: "Sets a parameter.", run: ftConfigSet},
			{name: "ft.config|help", arity: 3, flags: flagAdmin | flagOutside, cats: "@search", summary: "Describes parameters.", run: ftConfigHelp},
		}},
}

// Texts that client libraries depend on.
const (
	errUnknownIndex replyError = "Unknown index name"
	errIndexExists  replyError = "Index already exists"
	errFTTimeout    replyError = "Timeout limit was reached"
	errIndexDropped replyError = "The index was dropped before the query could be executed"
)

func ftErrorf(format string, args ...any) error { return replyError(fmt.Sprintf(format, args...)) }

// ftError gives the errors of the layers below the texts that FT clients know.
func ftError(err error) error {
	var (
		parse  *querylang.Error
		absent *engine.NotFoundError
		exists *engine.ExistsError
		input  *engine.InputError
	)
	switch {
	case errors.As(err, &parse):
		return replyError(parse.Msg)
	case errors.Is(err, context.DeadlineExceeded):
		return errFTTimeout
	case errors.Is(err, engine.ErrDropped):
		return errIndexDropped
	case errors.As(err, &absent):
		return errUnknownIndex
	case errors.As(err, &exists):
		return errIndexExists
	case errors.As(err, &input):
		return replyError(input.Msg)
	}
	return err
}

// ftIndex is an index with its definition in the forms that queries need.
type ftIndex struct {
	*engine.Collection
	def      engine.IndexDef
	opts     indexOptions
	fields   []fieldOptions // beside def.Fields
	byAlias  map[string]int
	bySource map[string]int
	uses     atomic.Int64 // searches since the start
}

// ftState keeps what was read of the definitions; they never change.
type ftState struct {
	mu    sync.Mutex
	known map[*engine.Collection]*ftIndex
	ready map[*engine.Collection]bool // the backfill is complete, which lasts
}

// maxKnownIndexes bounds what ftState keeps of indexes that are gone.
const maxKnownIndexes = 20_000

// index finds an index of the selected database by name or alias.
func (c *call) index(name []byte) (*ftIndex, error) {
	col, err := c.resolve(name)
	if err != nil {
		return nil, err
	}
	st := &c.srv.ft
	st.mu.Lock()
	x := st.known[col]
	st.mu.Unlock()
	if x != nil {
		return x, nil
	}
	info := col.Info().Index
	if info == nil {
		return nil, errUnknownIndex
	}
	x = newFTIndex(col, info.Def)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.known == nil || len(st.known) > maxKnownIndexes {
		st.known, st.ready = map[*engine.Collection]*ftIndex{}, map[*engine.Collection]bool{}
	}
	st.known[col] = x
	return x, nil
}

// forget drops what is kept of an index.
func (st *ftState) forget(col *engine.Collection) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.known, col)
	delete(st.ready, col)
}

func newFTIndex(col *engine.Collection, def engine.IndexDef) *ftIndex {
	x := &ftIndex{Collection: col, def: def, opts: decodeIndexOptions(def.Options), byAlias: map[string]int{}, bySource: map[string]int{}}
	for i, f := range def.Fields {
		x.fields = append(x.fields, decodeFieldOptions(f.Options))
		x.byAlias[f.Alias] = i
		if _, ok := x.bySource[f.Source]; !ok {
			x.bySource[f.Source] = i
		}
	}
	return x
}

// find returns the position of a field: an alias first, then a source that no alias hides.
func (x *ftIndex) find(name string) (int, bool) {
	if i, ok := x.byAlias[name]; ok {
		return i, true
	}
	i, ok := x.bySource[name]
	return i, ok
}

var fieldTypes = map[engine.FieldType]querylang.FieldType{
	engine.FieldTag: querylang.Tag, engine.FieldNumeric: querylang.Numeric, engine.FieldText: querylang.Text, engine.FieldVector: querylang.Vector,
}

// Field implements querylang.Schema.
func (x *ftIndex) Field(name []byte) (querylang.Field, bool) {
	i, ok := x.find(string(name))
	if !ok {
		return querylang.Field{}, false
	}
	f, o := x.def.Fields[i], x.fields[i]
	return querylang.Field{Name: f.Alias, Source: f.Source, Type: fieldTypes[f.Type], CaseSensitive: f.CaseSensitive,
		IndexMissing: o.IndexMissing, IndexEmpty: f.IndexEmpty, VectorBytes: f.Vector.BlobSize()}, true
}

// limits are the bounds of queries in force.
func (c *call) limits() querylang.Options {
	return querylang.Options{MaxK: c.srv.config.Int("search.max-vector-knn"), MaxEf: c.srv.config.Int("search.max-vector-ef-runtime"),
		MinPrefix: c.srv.config.Int("search.tag-min-prefix-length")}
}

// pollBackfill is the pause between two looks at a running backfill.
const pollBackfill = 5 * time.Millisecond

// ready refuses or waits while the index is being filled, as the configuration says.
func (c *call) ready(ctx context.Context, x *ftIndex) error {
	policy := c.srv.config.String("search.query-during-backfill")
	for {
		done, info := c.filled(x)
		switch {
		case done || policy == "partial":
			return nil
		case info == nil:
			return errIndexDropped
		case info.State == engine.BackfillFailed:
			return ftErrorf("Index `%s` could not be filled: %s", x.def.Name, info.Err)
		case policy != "wait":
			return ftErrorf("Index `%s` is being backfilled (%d%%); queries are rejected until it completes", x.def.Name, int(info.Progress*100))
		}
		if err := pause(ctx, pollBackfill); err != nil {
			return err
		}
	}
}

// filled says whether the backfill of an index is complete; if not, info tells the rest.
func (c *call) filled(x *ftIndex) (done bool, info *engine.IndexInfo) {
	st := &c.srv.ft
	st.mu.Lock()
	done = st.ready[x.Collection]
	st.mu.Unlock()
	if done {
		return true, nil
	}
	info = x.Info().Index
	if info == nil || info.State != engine.BackfillCompleted {
		return false, info
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.known[x.Collection] != nil {
		st.ready[x.Collection] = true
	}
	return true, info
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func ftList(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	names := c.srv.engine.Indexes(c.db)
	c.w.Set(len(names))
	for _, n := range names {
		c.w.BulkString(n)
	}
	return nil
}

func ftDropIndex(c *call) error {
	withKeys := false
	for _, a := range c.args[2:] {
		switch {
		case is(a, "dd"):
			withKeys = true
		case len(a) > 0: // redis-py before 6 sends an empty word where DD could be
			return ftErrorf("Unknown argument `%s`", a)
		}
	}
	return c.dropIndex(withKeys)
}

func ftDropIndexIfThere(c *call) error { return okIf(c, ftDropIndex(c), errUnknownIndex) }

// ftDrop is the old form: it deletes the documents unless told otherwise.
func ftDrop(c *call) error {
	return c.dropIndex(len(c.args) < 3 || !is(c.args[2], "keepdocs"))
}

// okIf answers OK instead of one error.
func okIf(c *call, err, fine error) error {
	if errors.Is(err, fine) {
		c.w.SimpleString("OK")
		return nil
	}
	return err
}

// dropBatch is the number of keys deleted by one record.
const dropBatch = 1000

func (c *call) dropIndex(withKeys bool) error {
	if err := c.sync(); err != nil {
		return err
	}
	x, err := c.index(c.args[1])
	if err != nil {
		return ftError(err)
	}
	if withKeys {
		if err := c.dropKeys(x); err != nil {
			return ftError(err)
		}
	}
	if err := c.srv.engine.DropIndex(c.ctx, c.db, x.def.Name, false); err != nil {
		return ftError(err)
	}
	c.srv.ft.forget(x.Collection)
	if err := c.dropAliases(x.def.Name); err != nil {
		return err
	}
	c.w.SimpleString("OK")
	return nil
}

// dropKeys deletes the keys that the index covers now.
func (c *call) dropKeys(x *ftIndex) error {
	var keys [][]byte
	deleteAll := func() error {
		t, err := c.srv.keys.Update(c.db, func(tx *keyspace.Tx) error {
			_, err := tx.Del(keys...)
			return err
		})
		if err != nil {
			return err
		}
		keys = nil
		return t.Wait(c.ctx)
	}
	err := x.Each(c.ctx, engine.ScrollRequest{}, func(h *engine.Hit) error {
		if keys = append(keys, append([]byte(nil), h.Key...)); len(keys) < dropBatch {
			return nil
		}
		return deleteAll()
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	return deleteAll()
}

// maxTagVals bounds the reply of FT.TAGVALS.
const maxTagVals = 1_000_000

func ftTagVals(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	x, err := c.index(c.args[1])
	if err != nil {
		return ftError(err)
	}
	i, ok := x.find(string(c.args[2]))
	if !ok {
		return replyError("No such field")
	}
	f := x.def.Fields[i]
	if f.Type != engine.FieldTag {
		return replyError("Not a tag field")
	}
	seen := map[string]bool{}
	var values []string
	err = x.Each(c.ctx, engine.ScrollRequest{Fetch: engine.Fetch{Document: true}}, func(h *engine.Hit) error {
		for source, value := range engine.HashFields(h.Document.Body) {
			if string(source) != f.Source || f.NoIndex {
				continue
			}
			tags, _ := f.Tags(value)
			for _, t := range tags {
				if !f.CaseSensitive {
					t = filter.Fold(t)
				}
				if !seen[t] && len(values) < maxTagVals {
					seen[t] = true
					values = append(values, t)
				}
			}
		}
		return nil
	})
	if err != nil {
		return ftError(err)
	}
	c.w.Set(len(values))
	for _, v := range values {
		c.w.BulkString(v)
	}
	return nil
}

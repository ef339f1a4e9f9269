package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// catalog holds what names mean at the published sequence number. db.mu guards it.
type catalog struct {
	byNum       map[uint32]*Collection
	collections map[string]*Collection         // of the HTTP kind
	indexes     map[int]map[string]*Collection // FT indexes by database and name
	aliases     map[string]string              // alias -> collection name
}

func newCatalog() catalog {
	return catalog{byNum: map[uint32]*Collection{}, collections: map[string]*Collection{}, indexes: map[int]map[string]*Collection{}, aliases: map[string]string{}}
}

func (g *catalog) add(c *Collection) {
	g.byNum[c.num] = c
	feed := c.pub.feed
	if feed == nil {
		g.collections[c.name] = c
		return
	}
	if g.indexes[feed.def.Database] == nil {
		g.indexes[feed.def.Database] = map[string]*Collection{}
	}
	g.indexes[feed.def.Database][c.name] = c
}

func (g *catalog) remove(c *Collection) {
	delete(g.byNum, c.num)
	if feed := c.pub.feed; feed != nil {
		delete(g.indexes[feed.def.Database], c.name)
	} else {
		delete(g.collections, c.name)
	}
}

// Collection returns a collection by name or alias; FT indexes of database 0 are collections
// too. It returns *NotFoundError.
func (db *DB) Collection(name string) (*Collection, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if c, ok := db.catalog.collections[name]; ok {
		return c, nil
	}
	if c, ok := db.catalog.collections[db.catalog.aliases[name]]; ok {
		return c, nil
	}
	if c, ok := db.catalog.indexes[0][name]; ok {
		return c, nil
	}
	return nil, &NotFoundError{"collection", name}
}

// Collections returns the names of all collections, FT indexes of database 0 included, sorted.
func (db *DB) Collections() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	names := slices.Collect(maps.Keys(db.catalog.collections))
	for name := range db.catalog.indexes[0] {
		if _, ok := db.catalog.collections[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Index returns an FT index of a database. It returns *NotFoundError.
func (db *DB) Index(database int, name string) (*Collection, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if c, ok := db.catalog.indexes[database][name]; ok {
		return c, nil
	}
	return nil, &NotFoundError{"index", name}
}

// Indexes returns the names of the FT indexes of a database, sorted.
func (db *DB) Indexes(database int) []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return slices.Sorted(maps.Keys(db.catalog.indexes[database]))
}

// Alias is another name of a collection.
type Alias struct{ Name, Collection string }

// Aliases returns all aliases, sorted by name.
func (db *DB) Aliases() []Alias {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var list []Alias
	for _, name := range slices.Sorted(maps.Keys(db.catalog.aliases)) {
		list = append(list, Alias{name, db.catalog.aliases[name]})
	}
	return list
}

// CreateCollection creates a collection. It returns *ExistsError when the name is taken by a
// collection or an alias, *InputError or ErrLimit when the schema is not possible.
func (db *DB) CreateCollection(ctx context.Context, name string, s Schema) error {
	if name == "" || len(name) > maxNameBytes {
		return &InputError{fmt.Sprintf("collection name of %d bytes, must be from 1 to %d", len(name), maxNameBytes)}
	}
	if err := s.validate(); err != nil {
		return err
	}
	return db.define(ctx, func() (op, error) {
		db.mu.RLock()
		defer db.mu.RUnlock()
		if _, ok := db.catalog.collections[name]; ok {
			return nil, &ExistsError{"collection", name}
		}
		if _, ok := db.catalog.aliases[name]; ok {
			return nil, &ExistsError{"alias", name}
		}
		db.seq.nums++
		return opCollectionCreate{db.seq.nums, name, s}, nil
	})
}

// UpdateCollection gives a collection the schema that change makes of the one in force, all of it or nothing of it. Searches
// go on; what the change means for graphs and codes is done in the background, and the status is Yellow until then.
// change must not keep or alter what it is given, runs under locks and is to be short. UpdateCollection returns its error,
// *NotFoundError, or *InputError for what cannot change: which vectors there are, their size, distance and flatness.
func (db *DB) UpdateCollection(ctx context.Context, name string, change func(Schema) (Schema, error)) error {
	return db.define(ctx, func() (op, error) {
		db.mu.RLock()
		defer db.mu.RUnlock()
		c, ok := db.catalog.collections[name]
		if !ok {
			return nil, &NotFoundError{"collection", name}
		}
		to, err := change(c.pub.schema)
		if err != nil {
			return nil, err
		}
		if err := c.pub.schema.checkChange(to); err != nil {
			return nil, err
		}
		if to.equal(c.pub.schema) {
			return nil, nil
		}
		return opCollectionUpdate{c.num, to}, nil
	})
}

// DropCollection removes a collection and its aliases, and says whether it was there.
func (db *DB) DropCollection(ctx context.Context, name string) (existed bool, err error) {
	err = db.define(ctx, func() (op, error) {
		db.mu.RLock()
		defer db.mu.RUnlock()
		c, ok := db.catalog.collections[name]
		if !ok {
			return nil, nil
		}
		existed = true
		return opCollectionDrop{c.num}, nil
	})
	return existed, err
}

// AliasKind says what an AliasAction does.
type AliasKind uint8

// Kinds of alias actions.
const (
	AliasCreate AliasKind = iota + 1 // Alias names Collection from now on
	AliasDelete                      // an absent alias is fine
	AliasRename                      // Alias becomes NewAlias
)

// AliasAction is one step of UpdateAliases.
type AliasAction struct {
	Kind                        AliasKind
	Collection, Alias, NewAlias string
}

// UpdateAliases does all actions in order, or none. It returns *NotFoundError for an absent
// collection or an absent alias to rename, *ExistsError for the name of a collection.
func (db *DB) UpdateAliases(ctx context.Context, actions []AliasAction) error {
	return db.define(ctx, func() (op, error) {
		db.mu.RLock()
		defer db.mu.RUnlock()
		aliases := maps.Clone(db.catalog.aliases)
		for _, a := range actions {
			if err := db.catalog.alias(aliases, a); err != nil {
				return nil, err
			}
		}
		if maps.Equal(aliases, db.catalog.aliases) {
			return nil, nil
		}
		return opAliases{aliases}, nil
	})
}

func (g *catalog) alias(aliases map[string]string, a AliasAction) error {
	taken := func(name string) error {
		if _, ok := g.collections[name]; ok {
			return &ExistsError{"collection", name}
		}
		return nil
	}
	switch a.Kind {
	case AliasCreate:
		if _, ok := g.collections[a.Collection]; !ok {
			return &NotFoundError{"collection", a.Collection}
		}
		if err := taken(a.Alias); err != nil {
			return err
		}
		aliases[a.Alias] = a.Collection
	case AliasDelete:
		delete(aliases, a.Alias)
	case AliasRename:
		target, ok := aliases[a.Alias]
		if !ok {
			return &NotFoundError{"alias", a.Alias}
		}
		if err := taken(a.NewAlias); err != nil {
			return err
		}
		delete(aliases, a.Alias)
		aliases[a.NewAlias] = target
	default:
		return &InputError{fmt.Sprintf("unknown alias action %d", a.Kind)}
	}
	return nil
}

// CreateIndex creates an FT index and starts its backfill. It returns *ExistsError.
func (db *DB) CreateIndex(ctx context.Context, def IndexDef) error {
	if def.Database < 0 || def.Database >= maxDatabases {
		return &InputError{fmt.Sprintf("database %d is not from 0 to %d", def.Database, maxDatabases-1)}
	}
	if err := def.schema().validate(); err != nil {
		return err
	}
	def.Created = db.clock()
	return db.define(ctx, func() (op, error) {
		db.mu.RLock()
		_, taken := db.catalog.indexes[def.Database][def.Name]
		db.mu.RUnlock()
		if taken {
			return nil, &ExistsError{"index", def.Name}
		}
		d := &db.seqDatabases[def.Database]
		if d.generation == 0 {
			db.seq.nums++
			d.generation = db.seq.nums
		}
		db.seq.nums++
		return opIndexCreate{db.seq.nums, d.generation, def}, nil
	})
}

// DropIndex removes an FT index, and with deleteKeys the keys it covers. It returns
// *NotFoundError.
func (db *DB) DropIndex(ctx context.Context, database int, name string, deleteKeys bool) error {
	c, err := db.Index(database, name)
	if err != nil {
		return err
	}
	if deleteKeys {
		if err := c.deleteKeys(ctx, database); err != nil {
			return err
		}
	}
	return db.define(ctx, func() (op, error) {
		db.mu.RLock()
		defer db.mu.RUnlock()
		if db.catalog.indexes[database][name] != c {
			return nil, &NotFoundError{"index", name}
		}
		return opCollectionDrop{c.num}, nil
	})
}

// deleteKeys deletes every key that the index covers, in records of bounded size.
func (c *Collection) deleteKeys(ctx context.Context, database int) error {
	var keys [][]byte
	err := c.Each(ctx, ScrollRequest{}, func(h *Hit) error {
		keys = append(keys, slices.Clone(h.Key))
		return nil
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(keys, stepRows) {
		t, err := c.db.Update(func(tx *KeyTx) error {
			for _, k := range part {
				if _, err := tx.Delete(database, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = t.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// define sequences one change of names and waits for it. Definitions run one at a time, each
// after everything sequenced before it is published, so that the published catalog is the one
// their record will meet; only a flush can come between, and the applier knows that case.
// A nil operation is nothing to do.
func (db *DB) define(ctx context.Context, build func() (op, error)) error {
	db.defineMu.Lock()
	defer db.defineMu.Unlock()
	if err := db.Barrier().Wait(ctx); err != nil {
		return err
	}
	var nothing bool
	t, err := db.sequence(func() (op, error) {
		o, err := build()
		if nothing = o == nil && err == nil; nothing {
			return nil, errNothing
		}
		return o, err
	})
	if nothing {
		return nil
	}
	if err != nil {
		return err
	}
	return t.Wait(ctx)
}

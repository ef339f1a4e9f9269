package keyspace

import (
	"strconv"

	"github.com/isobath/isobath/engine"
)

// aliasDatabase is the logical database, beyond those that clients can select, in which the aliases of FT indexes are kept:
// under the decimal number of a database a hash of alias and index name. So they are logged, recovered and flushed like keys.
const aliasDatabase = 255

func aliasKey(database int) []byte { return strconv.AppendInt(nil, int64(database), 10) }

// IndexAliases returns the aliases of FT indexes of the database: alias and index name. Those of indexes that are gone may be
// among them.
func (v *View) IndexAliases() ([]Field, error) {
	d, _, err := v.keys.Get(aliasDatabase, aliasKey(v.database))
	return parseHash(d.Body).fields, err
}

// IndexAlias returns the name of the index that an alias stands for.
func (v *View) IndexAlias(alias []byte) (index []byte, ok bool, err error) {
	d, _, err := v.keys.Get(aliasDatabase, aliasKey(v.database))
	if err != nil {
		return nil, false, err
	}
	index, ok = hashField(d.Body, alias)
	return index, ok, nil
}

// EditIndexAliases changes the aliases of the database in use. edit gets them by name, changes the map and says whether it did.
func (tx *Tx) EditIndexAliases(edit func(aliases map[string]string) (bool, error)) error {
	d, _, err := tx.keys.Get(aliasDatabase, aliasKey(tx.database))
	if err != nil {
		return err
	}
	old := parseHash(d.Body)
	aliases := make(map[string]string, len(old.fields))
	for _, f := range old.fields {
		aliases[string(f.Name)] = string(f.Value)
	}
	changed, err := edit(aliases)
	if err != nil || !changed {
		return err
	}
	next := &hash{}
	for _, f := range old.fields { // in the order in which they came
		if index, ok := aliases[string(f.Name)]; ok {
			next.fields = append(next.fields, Field{f.Name, []byte(index)})
		}
	}
	for alias, index := range aliases {
		if _, ok := old.find([]byte(alias)); !ok {
			next.fields = append(next.fields, Field{[]byte(alias), []byte(index)})
		}
	}
	if len(next.fields) == 0 {
		_, err := tx.keys.Delete(aliasDatabase, aliasKey(tx.database))
		return err
	}
	return tx.keys.Put(aliasDatabase, aliasKey(tx.database), engine.Document{Kind: engine.KindHash, Body: next.body()})
}

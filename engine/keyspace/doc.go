// Package keyspace gives the engine's documents the meaning of keys of the RESP protocol: types, expiry, conditions of
// writes, transactions and WATCH. It knows no protocol and no FT index: the engine feeds the indexes when a document changes.
//
//	t, err := space.Update(0, func(tx *keyspace.Tx) error {
//		_, err := tx.HSet([]byte("doc:1"), keyspace.Field{Name: []byte("year"), Value: []byte("1969")})
//		return err
//	})
//	...
//	err = t.Wait(ctx) // durable, and every read sees it
//
// Update runs its function in the engine's sequencer, alone and in log order; whatever one call writes is one record, so EXEC
// is one Update. A View reads at one published moment and sees no unfinished write.
//
// # Expiry
//
// A key whose time has come is absent from every read and write at once. A sweeper turns such keys into deletes, so that they
// leave the indexes too. It keeps the keys that have a time in a heap in memory: about 100 bytes a key besides the key itself.
//
// # Concurrency
//
// A Space is safe for concurrent use. A View and a Tx belong to one goroutine. The functions given to Update must be quick and
// must not call the Space or the DB. Lock order: the engine's sequencer, then watchTable.mu or expiryQueue.mu, never both.
package keyspace

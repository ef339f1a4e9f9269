package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/isobath/isobath/payload"
)

// indexStep indexes the keys of one range that no write has indexed since the index exists.
func (ap *applier) indexStep(seq uint64, o opIndexStep) error {
	b := ap.batch(o.num)
	if b == nil || b.state().feed == nil || b.state().feed.state == BackfillCompleted {
		return nil
	}
	if err := ap.flush(); err != nil {
		return err
	}
	feed := b.feedOwn()
	scan := payload.ScanOptions{Prefix: storeKey(nil, prefixDocument, feed.generation, nil)}
	if len(o.from) > 0 {
		scan.From = storeKey(nil, prefixDocument, feed.generation, o.from)
	}
	err := ap.db.kv.Scan(seq-1, scan, func(key, value []byte) (bool, error) {
		key = key[storePrefixBytes:]
		if len(o.to) > 0 && string(key) >= string(o.to) {
			return false, nil
		}
		d, err := decodeStoredDocument(value)
		if err != nil {
			return false, fmt.Errorf("key %q: %w", key, err)
		}
		if !feed.covers(key, d.Kind) {
			return true, nil
		}
		_, there, err := b.slotOf(seq, NumID(d.Number))
		if err != nil || there {
			return true, err
		}
		row := feed.row(slices.Clone(key), d)
		return true, b.put(seq, seq, &row)
	})
	if err != nil {
		return fmt.Errorf("backfill of index %q: %w", b.c.name, err)
	}
	feed.cursor, feed.progress = slices.Clone(o.to), o.progress
	if len(o.to) == 0 {
		feed.state, feed.progress = BackfillCompleted, 1
	}
	return nil
}

// nextIndexStep logs the next step of the collection's backfill.
func (c *Collection) nextIndexStep(ctx context.Context) (bool, error) {
	v, err := c.pin()
	if err != nil {
		return false, nil
	}
	defer v.release()
	if v.feed == nil || v.feed.state != BackfillInProgress {
		return false, nil
	}
	from := v.feed.cursor
	to, err := c.db.stepEnd(v.seq, prefixDocument, v.feed.generation, from)
	if err != nil {
		return false, err
	}
	done := v.feed.progress
	if keys := c.db.databaseKeys(v.feed.def.Database); keys > 0 {
		done = min(0.99, done+float64(stepRows)/float64(keys))
	}
	return true, c.db.step(ctx, opIndexStep{c.num, from, to, done})
}

func (db *DB) databaseKeys(n int) int {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.databases[n].keys
}

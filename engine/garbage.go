package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/isobath/isobath/payload"
)

// garbage lists the badger prefixes of dropped collections and flushed databases. Their keys
// are deleted in a background pass of bounded rate; a restart begins it anew.
type garbage struct {
	mu       sync.Mutex
	prefixes []garbagePrefix
}

type garbagePrefix struct {
	prefix byte
	num    uint32
}

const (
	garbageBatch = 2000                  // keys deleted at once
	garbagePause = 20 * time.Millisecond // between batches
	garbageIdle  = time.Second           // between looks at an empty list
)

func (g *garbage) add(prefix byte, num uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := (garbagePrefix{prefix, num}); !slices.Contains(g.prefixes, p) {
		g.prefixes = append(g.prefixes, p)
	}
}

func (g *garbage) set(prefixes []garbagePrefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.prefixes = slices.Clone(prefixes)
}

func (g *garbage) list() []garbagePrefix {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.prefixes)
}

func (g *garbage) remove(p garbagePrefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.prefixes = slices.DeleteFunc(g.prefixes, func(x garbagePrefix) bool { return x == p })
}

func (db *DB) garbageLoop(ctx context.Context) {
	var from []byte // first key of the next batch of the first prefix; nil: its beginning
	for {
		pause := garbageIdle
		if list := db.garbage.list(); len(list) > 0 && db.Failed() == nil && db.roomFor(0) == nil {
			next, err := db.collect(list[0], from)
			switch from = next; {
			case err != nil:
				db.log.Warn("deleting the keys of a dropped collection is tried again later", "err", err)
			case next != nil:
				pause = garbagePause
			default:
				db.garbage.remove(list[0])
				pause = 0
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// collect deletes one batch of keys under p, beginning at from, and returns where the next one
// begins, nil at the end: a batch never walks over what the ones before have deleted. The
// deletes are not logged: until a checkpoint holds them the prefix stays on the list.
func (db *DB) collect(p garbagePrefix, from []byte) (next []byte, err error) {
	db.mu.RLock()
	seq := db.publishedSeq // what was dropped is so at this one, whoever waits for it: older views still see the keys
	db.mu.RUnlock()
	var ops []payload.Op
	scan := payload.ScanOptions{Prefix: storeKey(nil, p.prefix, p.num, nil), From: from, KeysOnly: true}
	err = db.kv.Scan(seq, scan, func(key, _ []byte) (bool, error) {
		if len(ops) == garbageBatch {
			next = slices.Clone(key)
			return false, nil
		}
		ops = append(ops, payload.Op{Key: slices.Clone(key), Seq: seq, Delete: true})
		return true, nil
	})
	if err != nil || len(ops) == 0 {
		return nil, err
	}
	return next, db.kv.Apply(ops)
}

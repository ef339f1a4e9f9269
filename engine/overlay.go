package engine

import "maps"

// overlay holds the after-images of operations that are logged but not yet applied, so that
// the sequencer sees its own decisions. It is guarded by the sequencer's lock.
type overlay struct {
	keys   map[overlayKey]overlayDoc
	points map[overlayPointKey]overlayPoint
}

type overlayKey struct {
	generation uint32
	key        string
}

type overlayDoc struct {
	seq    uint64
	exists bool
	doc    Document
}

type overlayPointKey struct {
	num uint32
	id  PointID
}

type overlayPoint struct {
	seq      uint64
	exists   bool
	known    bool            // payload is known; otherwise it is the applied one
	replaced bool            // the point has no vectors but those in vectors
	payload  []byte          // nil: no payload
	vectors  map[string]bool // vectors set or deleted
}

func newOverlay() overlay {
	return overlay{keys: map[overlayKey]overlayDoc{}, points: map[overlayPointKey]overlayPoint{}}
}

func (ov *overlay) putKeys(seq uint64, o *opKeys) {
	for i := range o.changes {
		c := &o.changes[i]
		if c.kind == keyFlush {
			continue // the new generation has no keys
		}
		ov.keys[overlayKey{c.generation, string(c.key)}] = overlayDoc{seq, c.kind == keyPut, c.doc}
	}
}

func (ov *overlay) putPoints(seq uint64, o *opPoints) {
	for i := range o.changes {
		c := &o.changes[i]
		k := overlayPointKey{o.num, c.id}
		if c.kind == changePut && len(c.vectors) == 1 && c.vectors[0].name == "" {
			ov.points[k] = overlayPoint{seq: seq, exists: true, known: true, replaced: true, payload: c.payload, vectors: onlyUnnamed}
			continue
		}
		ov.points[k] = ov.points[k].after(seq, c)
	}
}

// onlyUnnamed is shared by all points that have the unnamed vector and no other.
var onlyUnnamed = map[string]bool{"": true}

// after returns the point after one more change.
func (p overlayPoint) after(seq uint64, c *pointChange) overlayPoint {
	if c.kind == changeDelete {
		return overlayPoint{seq: seq}
	}
	p.seq, p.exists = seq, true
	if c.kind == changePut || c.kind == changePayload {
		p.payload, p.known = c.payload, true
	}
	if c.kind == changePut {
		p.replaced, p.vectors = true, nil
	}
	if len(c.vectors)+len(c.names) > 0 {
		vectors := maps.Clone(p.vectors)
		if vectors == nil {
			vectors = map[string]bool{}
		}
		for _, v := range c.vectors {
			vectors[v.name] = true
		}
		for _, name := range c.names {
			vectors[name] = false
		}
		p.vectors = vectors
	}
	return p
}

// forget drops the entries that q left, unless a later operation replaced them.
func (ov *overlay) forget(q queued) {
	switch o := q.op.(type) {
	case *opKeys:
		for i := range o.changes {
			c := &o.changes[i]
			k := overlayKey{c.generation, string(c.key)}
			if e, ok := ov.keys[k]; ok && e.seq == q.seq {
				delete(ov.keys, k)
			}
		}
	case *opPoints:
		for i := range o.changes {
			k := overlayPointKey{o.num, o.changes[i].id}
			if e, ok := ov.points[k]; ok && e.seq == q.seq {
				delete(ov.points, k)
			}
		}
	}
}

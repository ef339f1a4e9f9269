package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/payload"
)

// pointReader fetches what a read wants of points, at one view.
type pointReader struct {
	v     *view
	fetch Fetch
	rows  map[string]*mmapvec.View
	names []string
}

// reader prepares fetching; it returns *VectorNameError. Close it.
func (v *view) reader(f Fetch) (*pointReader, error) {
	r := &pointReader{v: v, fetch: f}
	if !f.Vectors {
		return r, nil
	}
	r.names = f.VectorNames
	if r.names == nil {
		r.names = v.c.names
	}
	r.rows = make(map[string]*mmapvec.View, len(r.names))
	for _, name := range r.names {
		vs := v.c.vectors[name]
		if vs == nil {
			r.close()
			return nil, &VectorNameError{name}
		}
		if r.rows[name] == nil {
			r.rows[name] = vs.rows.View()
		}
	}
	return r, nil
}

func (r *pointReader) close() {
	for _, view := range r.rows {
		view.Release()
	}
}

// hit reads one point.
func (r *pointReader) hit(id PointID, slot uint32) (Hit, error) {
	h := Hit{ID: id}
	if row, ok := r.v.c.slots.Get(slot); ok {
		h.Version = row.Version
	}
	if err := r.payload(&h); err != nil {
		return h, err
	}
	if r.fetch.Vectors {
		h.Vectors = make(Vectors, len(r.names))
		for _, name := range r.names {
			if !r.v.filter.Has(name).Contains(slot) {
				continue
			}
			row, err := r.rows[name].Row(slot)
			if err != nil {
				return h, fmt.Errorf("engine: vector of point %s: %w", id, err)
			}
			h.Vectors[name] = slices.Clone(row)
			if s := r.v.stats; s != nil {
				s.RowsRead++
			}
		}
	}
	return h, nil
}

func (r *pointReader) payload(h *Hit) error {
	feed := r.v.feed
	if !r.fetch.Payload && feed == nil {
		return nil
	}
	doc, ok, err := readPayload(r.v.c.db.kv, r.v.seq, r.v.c.num, h.ID)
	if err != nil || !ok {
		h.Gone = feed != nil
		return err
	}
	if feed != nil {
		h.Key = doc
		if r.fetch.Document || r.fetch.Expiry && r.v.expires() {
			key := storeKey(nil, prefixDocument, feed.generation, h.Key)
			h.Document, ok, err = readDocument(r.v.c.db.kv, r.v.seq, key)
			h.Gone = !ok
		}
		return err
	}
	if r.fetch.Include != nil || r.fetch.Exclude != nil {
		if doc, err = payload.Project(doc, r.fetch.Include, r.fetch.Exclude); err != nil {
			return fmt.Errorf("engine: payload of point %s: %w", h.ID, err)
		}
	}
	h.Payload = doc
	return nil
}

// timedHit is hit for a view that counts.
func (r *pointReader) timedHit(id PointID, slot uint32) (Hit, error) {
	began := time.Now()
	h, err := r.hit(id, slot)
	r.v.stats.Fetch += time.Since(began)
	return h, err
}

// evaluate reads a point's payload and evaluates a filter on it.
func (r *pointReader) evaluate(match *filter.Predicate, id PointID, slot uint32) (bool, error) {
	if s := r.v.stats; s != nil {
		s.Evaluated++
	}
	doc, _, err := readPayload(r.v.c.db.kv, r.v.seq, r.v.c.num, id)
	if err != nil {
		return false, err
	}
	if r.v.feed != nil {
		doc = nil // the stored bytes are the key
	}
	return match.Eval(&viewPoint{r.v, id, slot, doc}), nil
}

// viewPoint is a point at a view, for evaluating filters.
type viewPoint struct {
	v    *view
	id   PointID
	slot uint32
	doc  []byte
}

func (p *viewPoint) ID() PointID { return p.id }

func (p *viewPoint) Payload() []byte { return p.doc }

func (p *viewPoint) HasVector(name string) bool { return p.v.filter.Has(name).Contains(p.slot) }

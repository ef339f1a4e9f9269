package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/dataset"
)

// collection is the name of what is measured: a collection over HTTP and in process, an index over
// RESP.
const collection = "bench"

// local is the database in process.
type local struct {
	db     *engine.DB
	c      *engine.Collection // nil while it does not exist
	vector string             // its name: an index calls it as its field
	ids    [][]int32          // by worker
}

// openLocal opens the database in dir; its collection may be absent.
func openLocal(dir string, o engine.Options) (*local, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	db, err := engine.Open(dir, o)
	if err != nil {
		return nil, err
	}
	l := &local{db: db}
	l.c, err = db.Collection(collection)
	var absent *engine.NotFoundError
	if err != nil && !errors.As(err, &absent) {
		return nil, errors.Join(err, db.Close())
	}
	if l.c != nil {
		for l.vector = range l.c.Schema().Vectors {
		}
	}
	return l, nil
}

func (l *local) close() error { return l.db.Close() }

// loaded opens the database of a mode, and loads it unless it holds the collection.
func (r *Run) loaded(ctx context.Context, mode string, to int, payload func(row int) []byte, fields ...filter.FieldDef) (_ *local, err error) {
	l, err := openLocal(r.dir(mode), engine.Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.c == nil {
		if err := r.createLocal(ctx, l, 0, fields); err != nil {
			return nil, err
		}
		if err := r.fillLocal(ctx, l, to, payload); err != nil {
			return nil, err
		}
	} else if n := l.c.Info().Points; n != to {
		return nil, fmt.Errorf("bench: the collection in %s holds %d points, want %d: name another directory", r.dir(mode), n, to)
	} else if !l.hasFields(fields) {
		return nil, fmt.Errorf("bench: the collection in %s was loaded by a mode without payload: name another directory", r.dir(mode))
	}
	return l, l.settle(ctx)
}

// hasFields tells whether the collection has indexes of all these fields.
func (l *local) hasFields(fields []filter.FieldDef) bool {
	have := l.c.Info().Fields
	for _, def := range fields {
		if !slices.ContainsFunc(have, func(x filter.FieldInfo) bool { return x.Def.Name == def.Name && x.Def.Kind == def.Kind }) {
			return false
		}
	}
	return true
}

// createLocal creates the collection, with a graph from so many bytes of rows on: 0 the default, negative none ever.
func (r *Run) createLocal(ctx context.Context, l *local, indexFrom int64, fields []filter.FieldDef) (err error) {
	schema := engine.Schema{Vectors: map[string]engine.VectorParams{"": r.vectorParams()}, IndexFromBytes: indexFrom}
	if err := l.db.CreateCollection(ctx, collection, schema); err != nil {
		return err
	}
	if l.c, err = l.db.Collection(collection); err != nil {
		return err
	}
	for _, def := range fields {
		if _, err := l.c.CreateField(ctx, def, nil, engine.WriteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// fillLocal loads the rows up to to.
func (r *Run) fillLocal(ctx context.Context, l *local, to int, payload func(row int) []byte) error {
	began := time.Now()
	err := r.set.Each(ctx, 0, to, r.Batch, r.Loaders, func(_, from int, rows *dataset.Rows) error {
		return l.upsert(ctx, from, rows, payload)
	})
	took := time.Since(began)
	r.say("%d rows acknowledged in %.1f s, %.0f rows/s", to, took.Seconds(), float64(to)/took.Seconds())
	return err
}

// upsert stores rows under their numbers, from from on.
func (l *local) upsert(ctx context.Context, from int, rows *dataset.Rows, payload func(row int) []byte) error {
	points := make([]engine.Point, rows.Len())
	for i := range points {
		points[i] = engine.Point{ID: engine.NumID(uint64(from + i)), Vectors: engine.Vectors{"": rows.Row(i)}}
		if payload != nil {
			points[i].Payload = payload(from + i)
		}
	}
	_, err := l.c.Upsert(ctx, points, engine.UpsertOptions{})
	return err
}

// replace gives points that are there other vectors.
func (l *local) replace(ctx context.Context, ids []int, rows *dataset.Rows) error {
	points := make([]engine.Point, len(ids))
	for i, id := range ids {
		points[i] = engine.Point{ID: engine.NumID(uint64(id)), Vectors: engine.Vectors{"": rows.Row(i)}}
	}
	_, err := l.c.Upsert(ctx, points, engine.UpsertOptions{})
	return err
}

func (r *Run) vectorParams() engine.VectorParams {
	return engine.VectorParams{Size: r.set.Dim, Distance: r.distance(), M: r.M, EfConstruct: r.EfConstruct}
}

func (r *Run) distance() engine.Distance {
	switch r.set.Metric {
	case dataset.L2:
		return engine.Euclid
	case dataset.Dot:
		return engine.Dot
	}
	return engine.Cosine
}

// settle waits until background work is done.
func (l *local) settle(ctx context.Context) error {
	return poll(ctx, 50*time.Millisecond, func() (bool, error) {
		info := l.c.Info()
		if info.Status == engine.Red {
			return false, fmt.Errorf("bench: the collection has failed: %s", info.Err)
		}
		return info.Status == engine.Green, nil
	})
}

// shape describes the vector index in words.
func (l *local) shape() string {
	v := l.c.Info().Vectors[l.vector]
	return fmt.Sprintf("%d vectors, %d in graphs, %d segments, tail %d", v.Vectors, v.Indexed, v.Segments, v.Tail)
}

func (l *local) search(ctx context.Context, worker int, query []float32, ef, k int) (answer, error) {
	return l.ask(ctx, worker, engine.SearchRequest{Query: query, Ef: ef, K: k})
}

// prepare makes room for workers that ask at once.
func (l *local) prepare(workers int) *local {
	l.ids = make([][]int32, workers)
	return l
}

func (l *local) ask(ctx context.Context, worker int, req engine.SearchRequest) (answer, error) {
	req.Vector = l.vector
	began := time.Now()
	res, err := l.c.Search(ctx, req)
	took := time.Since(began)
	if err != nil {
		return answer{}, err
	}
	ids := l.ids[worker][:0]
	for i := range res.Hits {
		id := int32(res.Hits[i].ID.Num())
		if key := res.Hits[i].Key; key != nil {
			if id, err = rowOfKey(string(key)); err != nil {
				return answer{}, err
			}
		}
		ids = append(ids, id)
	}
	l.ids[worker] = ids
	s := &res.Stats
	return answer{ids: ids, took: took, plan: string(s.Plan), counters: Counters{
		Distances: float64(s.Distances), Hops: float64(s.Hops), Visited: float64(s.Visited), RowsRead: float64(s.RowsRead),
		CodeBytes: float64(s.Coded), FileBytes: float64(s.BytesRead),
	}}, nil
}

// poll calls done until it says so.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/isobath/isobath/filter"
	"github.com/stretchr/testify/require"
)

// definer creates and drops everything that has a name.
func (s *stress) definer() {
	ctx := context.Background()
	a, err := s.db.Collection("a")
	require.NoError(s.t, err)
	kinds := []filter.FieldDef{keywordField("tag"), {Name: "tag", Kind: filter.Keyword, FoldCase: true}, keywordField("state"), {Name: "round", Kind: filter.Integer}}
	s.run("fields", func(rng *rand.Rand, _ int) error {
		def := kinds[rng.IntN(len(kinds))]
		_, err := a.CreateField(ctx, def, nil, WriteOptions{NoWait: rng.IntN(2) == 0})
		if err == nil && rng.IntN(3) == 0 {
			_, err = a.DropField(ctx, def.Name, WriteOptions{})
		}
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		return err
	})
	last := testSchema()
	s.run("updates", func(rng *rand.Rand, round int) error {
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		last = changedSchema(round)
		if err := updateTo(ctx, s.db, "a", last); err != nil {
			return err
		}
		if got := dumpSchema(a.Schema()); got != dumpSchema(last) {
			return fmt.Errorf("the schema is %s after an update to %s", got, dumpSchema(last))
		}
		return nil
	})
	s.atEnd(func() { s.want.schemas["a"] = last })
	s.run("collections", func(rng *rand.Rand, round int) error {
		name := "b"
		err := s.db.CreateCollection(ctx, name, testSchema())
		if err != nil {
			return err
		}
		if err := s.db.UpdateAliases(ctx, []AliasAction{{Kind: AliasCreate, Collection: name, Alias: "alias"}}); err != nil {
			return err
		}
		c, err := s.db.Collection("alias")
		if err != nil {
			return err
		}
		var points []Point
		for id := range uint64(1 + rng.IntN(60)) {
			points = append(points, Point{NumID(id), Vectors{"": stressVector(id, round)}, []byte(`{"tag":"x"}`)})
		}
		if _, err := c.Upsert(ctx, points, UpsertOptions{}); err != nil {
			return err
		}
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		if n, err := c.Count(ctx, nil, nil); err != nil || n != len(points) {
			return fmt.Errorf("%d points of %d: %w", n, len(points), err)
		}
		_, err = s.db.DropCollection(ctx, name)
		return err
	})
	s.run("indexes", func(rng *rand.Rand, round int) error {
		def := testIndexDef()
		def.Name = "ft2"
		if err := s.db.CreateIndex(ctx, def); err != nil {
			return err
		}
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
		return s.db.DropIndex(ctx, 0, "ft2", false)
	})
	s.run("flushes", func(rng *rand.Rand, round int) error {
		def := testIndexDef()
		def.Name, def.Database = "other", 1
		if err := s.db.CreateIndex(ctx, def); err != nil {
			return err
		}
		err := updateAndWait(ctx, s.db, func(tx *KeyTx) error {
			return tx.Put(1, []byte("doc:1"), Document{Kind: KindHash, Body: AppendHashField(nil, []byte("g"), []byte("x"))})
		})
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		return updateAndWait(ctx, s.db, func(tx *KeyTx) error { tx.Flush(1); return nil })
	})
}

// readers look for halves of operations and for parts of different versions in one answer.
func (s *stress) readers() {
	ctx := context.Background()
	c, err := s.db.Collection("a")
	require.NoError(s.t, err)
	s.run("scroll", func(*rand.Rand, int) error {
		time.Sleep(time.Millisecond) // leave the writers some time
		seen := map[uint64]string{}
		err := c.Each(ctx, ScrollRequest{Fetch: Fetch{Payload: true, Vectors: true}}, func(h *Hit) error {
			seen[h.ID.Num()] = fmt.Sprint(string(h.Payload), len(h.Vectors))
			return nil
		})
		for id, p := range seen {
			if id < 9000 && id%1000 < 100 && seen[id+100] != p {
				return fmt.Errorf("half an operation: point %d is %s, %d is %s", id, p, id+100, seen[id+100])
			}
		}
		return err
	})
	s.run("search", func(rng *rand.Rand, _ int) error {
		time.Sleep(time.Millisecond)
		req := SearchRequest{Query: stressVector(1000+rng.Uint64N(40), 3), K: 10, Exact: rng.IntN(3) == 0, Fetch: Fetch{Payload: true, Vectors: true}}
		if rng.IntN(2) == 0 {
			req.Filter = filter.Match{Field: "owner", Value: filter.StringValue("w1")}
		}
		if rng.IntN(3) == 0 {
			req.Filter = filter.MatchAny{Field: "tag", Values: []filter.Value{filter.StringValue("t1"), filter.StringValue("t2")}}
		}
		res, err := c.Search(ctx, req)
		if err != nil {
			return err
		}
		for _, h := range res.Hits {
			v, ok := h.Vectors[""]
			if !ok || Euclid.Metric().Distance(v, req.Query) != h.Distance {
				return fmt.Errorf("point %s at %v has the distance %v", h.ID, v, h.Distance)
			}
			if req.Filter == nil {
				continue
			}
			match, err := filter.Compile(req.Filter)
			if err != nil || !match.Eval(&viewPoint{id: h.ID, doc: h.Payload}) {
				return fmt.Errorf("point %s with %s does not match: %w", h.ID, h.Payload, err)
			}
		}
		return nil
	})
}

// visitors use what others create and drop: they may find it gone, and nothing else.
func (s *stress) visitors() {
	ctx := context.Background()
	s.run("visits", func(rng *rand.Rand, _ int) error {
		time.Sleep(time.Millisecond)
		c, err := s.db.Collection([]string{"b", "alias", "ft2"}[rng.IntN(3)])
		if rng.IntN(4) == 0 {
			c, err = s.db.Index(1, "other")
		}
		if err != nil {
			return ignoreGone(err)
		}
		vector := ""
		if c.IsIndex() {
			vector = "v"
		}
		switch rng.IntN(6) {
		case 0:
			_, err = c.Search(ctx, SearchRequest{Vector: vector, Query: stressVector(1, 1), K: 5, Fetch: Fetch{Vectors: true, Document: true}})
		case 1:
			_, _, err = c.Scroll(ctx, ScrollRequest{Limit: 10, Fetch: Fetch{Payload: true, Document: true}})
		case 2:
			_, err = c.Count(ctx, filter.Match{Field: "g", Value: filter.StringValue("x")}, nil)
		case 3:
			c.Info()
		case 4:
			s.db.Stats()
		case 5:
			if !c.IsIndex() {
				_, err = c.Upsert(ctx, []Point{{ID: NumID(0), Vectors: Vectors{"": stressVector(1, 1)}}}, UpsertOptions{})
			}
		}
		return ignoreGone(err)
	})
}

func ignoreGone(err error) error {
	if missing := (*NotFoundError)(nil); errors.As(err, &missing) || errors.Is(err, ErrDropped) {
		return nil
	}
	return err
}

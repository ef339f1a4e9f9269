package main

import (
	"context"
	"fmt"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
)

// filteredQueries is the number of queries of each selectivity.
const filteredQueries = 500

// filtered loads the rows with a number below 1000 each, indexes it, and prints recall, result
// counts and time of filters of falling selectivity against the exact answer.
func filtered(o options) error {
	o.collection, o.payload = "filtered", func(i int) []byte { return fmt.Appendf(nil, `{"n":%d}`, i%1000) }
	u, err := openUs(o)
	if err != nil {
		return err
	}
	defer u.close()
	ctx := context.Background()
	def := filter.FieldDef{Name: "n", Kind: filter.Integer}
	if _, err := u.c.CreateField(ctx, def, nil, engine.WriteOptions{}); err != nil {
		return err
	}
	if err := u.settle(); err != nil {
		return err
	}
	for _, below := range []float64{1000, 500, 100, 10, 1} {
		req := engine.SearchRequest{K: 10, Ef: 200, Filter: filter.Range{Field: "n", Lt: &below}}
		if below == 1000 {
			req.Filter = nil
		}
		found, short := 0, 0
		var took, exactTook time.Duration
		var stats engine.SearchStats
		for _, q := range u.queries[:filteredQueries] {
			req.Query, req.Exact = q, false
			began := time.Now()
			got, err := u.c.Search(ctx, req)
			if err != nil {
				return err
			}
			took += time.Since(began)
			stats = got.Stats
			req.Exact = true
			began = time.Now()
			want, err := u.c.Search(ctx, req)
			if err != nil {
				return err
			}
			exactTook += time.Since(began)
			if len(got.Hits) < len(want.Hits) {
				short++
			}
			for _, w := range want.Hits {
				for _, g := range got.Hits {
					if g.ID == w.ID {
						found++
					}
				}
			}
		}
		fmt.Printf("selectivity %5.1f %%: recall@10 %.4f, %d answers too short, %.3f ms (exact %.3f ms), last plan %q\n", below/10,
			float64(found)/(10*filteredQueries), short, took.Seconds()*1e3/filteredQueries, exactTook.Seconds()*1e3/filteredQueries, stats.Plan)
	}
	return nil
}

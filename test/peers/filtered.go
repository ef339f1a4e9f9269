package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
)

// filteredQueries is the number of queries of each selectivity.
const filteredQueries = 500

// filtered prints recall, result counts and time of filters of falling selectivity against the
// exact answer. Every row has two numbers from 0 to 999: n has nothing to do with its vector, and
// side is its rank by the product with the first query. A filter that wants a large side is
// correlated with queries on that side, which lie among its matches, and anti-correlated with
// those on the other, which have all their neighbours outside.
func filtered(o options) error {
	pole, err := readFvecs(o.query)
	if err != nil {
		return err
	}
	o.collection = "filtered"
	o.payload = func(rows [][]float32) func(i int) []byte {
		side := ranks(rows, pole[0])
		return func(i int) []byte { return fmt.Appendf(nil, `{"n":%d,"side":%d}`, i%1000, side[i]) }
	}
	u, err := openUs(o)
	if err != nil {
		return err
	}
	defer u.close()
	for _, field := range []string{"n", "side"} {
		def := filter.FieldDef{Name: field, Kind: filter.Integer}
		if _, err := u.c.CreateField(context.Background(), def, nil, engine.WriteOptions{}); err != nil {
			return err
		}
	}
	if err := u.settle(); err != nil {
		return err
	}
	bySide := slices.Clone(u.queries)
	slices.SortFunc(bySide, func(a, b []float32) int { return cmp.Compare(dot(a, pole[0]), dot(b, pole[0])) })
	for _, family := range []struct {
		name, field string
		queries     [][]float32
	}{
		{"uncorrelated", "n", u.queries[:filteredQueries]},
		{"correlated", "side", bySide[len(bySide)-filteredQueries:]},
		{"anti-correlated", "side", bySide[:filteredQueries]},
	} {
		if err := u.filteredBy("everything", nil, family.queries); err != nil {
			return err
		}
		for _, permille := range []int{500, 100, 10, 1} {
			from := float64(1000 - permille)
			what := fmt.Sprintf("%s, %4.1f %%", family.name, float64(permille)/10)
			if err := u.filteredBy(what, filter.Range{Field: family.field, Gte: &from}, family.queries); err != nil {
				return err
			}
		}
	}
	return nil
}

// filteredBy asks all queries with one filter, and again exactly, and prints a line.
func (u *us) filteredBy(what string, expr filter.Expr, queries [][]float32) error {
	found, short := 0, 0
	var took, exactTook time.Duration
	plans := map[string]int{}
	for _, q := range queries {
		got, t, err := u.timed(engine.SearchRequest{Query: q, K: 10, Ef: 200, Filter: expr})
		if err != nil {
			return err
		}
		took += t
		plans[string(got.Stats.Plan)]++
		want, t, err := u.timed(engine.SearchRequest{Query: q, K: 10, Exact: true, Filter: expr})
		if err != nil {
			return err
		}
		exactTook += t
		if len(got.Hits) < len(want.Hits) {
			short++
		}
		near := map[engine.PointID]bool{}
		for _, h := range want.Hits {
			near[h.ID] = true
		}
		for _, h := range got.Hits {
			if near[h.ID] {
				found++
			}
		}
	}
	n := float64(len(queries))
	fmt.Printf("%-24s recall@10 %.4f, %d answers too short, %.3f ms (exact %.3f ms), plans %v\n",
		what+":", float64(found)/(10*n), short, took.Seconds()*1e3/n, exactTook.Seconds()*1e3/n, plans)
	return nil
}

func (u *us) timed(req engine.SearchRequest) (*engine.SearchResult, time.Duration, error) {
	began := time.Now()
	got, err := u.c.Search(context.Background(), req)
	return got, time.Since(began), err
}

// ranks orders the rows by their product with the pole; the result of row i is from 0 to 999.
func ranks(rows [][]float32, pole []float32) []int {
	order := make([]int, len(rows))
	products := make([]float32, len(rows))
	for i, row := range rows {
		order[i], products[i] = i, dot(row, pole)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(products[a], products[b]) })
	rank := make([]int, len(rows))
	for at, i := range order {
		rank[i] = at * 1000 / len(rows)
	}
	return rank
}

func dot(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

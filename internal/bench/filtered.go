package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/dataset"
	"github.com/isobath/isobath/mmapvec/distance"
)

// filteredQueries is the number of queries of each filter.
const filteredQueries = 500

// selectivities are the parts in a thousand that filters let pass.
var selectivities = []int{500, 100, 10, 1}

// Filtered measures recall and time of filters of falling selectivity against exact neighbours.
// Every row has two numbers from 0 to 999: n has nothing to do with its vector, and side is its rank
// by the product with the first query. A filter that wants a large side is correlated with the
// queries on that side, which lie among its matches, and anti-correlated with those on the other,
// which have all their neighbours outside. The rows of real sets also have their own numbers.
func (r *Run) Filtered(ctx context.Context) (err error) {
	m := r.begin("filtered")
	defer m.end()
	if r.set.Queries.Len() < 2 {
		return errors.New("bench: filtered wants two queries at least: one for each side")
	}
	side, order, err := r.sides(ctx)
	if err != nil {
		return err
	}
	numbers := map[string][]int{"n": make([]int, r.set.Rows), "side": side}
	for i := range numbers["n"] {
		numbers["n"][i] = scatter(i)
	}
	ends := min(filteredQueries, len(order)/2) // the two ends share no query
	families := []family{
		{"uncorrelated", "n", r.set.Queries.Slice(0, min(filteredQueries, r.set.Queries.Len()))},
		{"correlated", "side", pick(r.set.Queries, order[len(order)-ends:])},
		{"anti-correlated", "side", pick(r.set.Queries, order[:ends])},
	}
	own, err := r.ownNumbers()
	if err != nil {
		return err
	}
	for _, name := range r.set.FieldNames("integer") {
		numbers["own_"+name] = own[name]
		families = append(families, family{"own " + name, "own_" + name, families[0].queries})
	}
	fields := []filter.FieldDef{}
	for name := range numbers {
		fields = append(fields, filter.FieldDef{Name: name, Kind: filter.Integer})
	}
	l, err := r.loaded(ctx, "filtered", r.set.Rows, payloadOf(numbers), fields...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	m.note("isobath: %s", l.shape())
	l.prepare(1)
	if err := r.warm(ctx, l, r.Ef); err != nil {
		return err
	}
	t := m.table(fmt.Sprintf("filters at ef %d, %d queries each", r.Ef, families[0].queries.Len()),
		"filter", "passes_share", "recall", "too_short", "p50_ms", "p99_ms", "mean_ms", "to_unfiltered", "exact_mean_ms", "to_exact",
		"distances", "hops", "rows_read", "plans")
	compared := m.table(fmt.Sprintf("plans by turns, %d queries each: mean time and recall", comparedQueries), "filter", "passes_share",
		"own_ms", "own_recall", "scan_ms", "scan_recall", "walk_ms", "walk_recall", "cells_ms", "cells_recall", "two_hop_ms", "two_hop_recall", "own_to_better")
	for _, f := range families {
		truth, err := r.set.Nearest(ctx, f.queries, r.K, 0, r.set.Rows, nil, nil)
		if err != nil {
			return err
		}
		free, err := r.filteredBy(ctx, l, f, nil, truth)
		if err != nil {
			return err
		}
		t.add(free.cells(f.name+", none", 1)...)
		for _, permille := range selectivities {
			values := numbers[f.field]
			from := least(values, permille)
			allow := func(row int) bool { return values[row] >= from }
			bound := float64(from)
			if truth, err = r.set.Nearest(ctx, f.queries, r.K, 0, r.set.Rows, allow, nil); err != nil {
				return err
			}
			expr := filter.Range{Field: f.field, Gte: &bound}
			x, err := r.filteredBy(ctx, l, f, expr, truth)
			if err != nil {
				return err
			}
			share := float64(count(values, from)) / float64(len(values))
			t.add(x.cells(f.name, share)...)
			cells, err := r.comparePlans(ctx, l, f, expr, truth)
			if err != nil {
				return err
			}
			compared.add(append([]any{f.name, share}, cells...)...)
		}
	}
	m.print(t)
	m.print(compared)
	m.note("to_unfiltered compares with the same queries asked without a filter, in turns; to_exact compares with a scan of all matching rows; own_to_better with the faster of a scan of the codes of all matches and a "+
		"filtered walk that never gives up, of the two that find %.2f", leastRecall)
	return nil
}

// family is filters over one field, and the queries asked with them.
type family struct {
	name, field string
	queries     *dataset.Rows
}

// filteredRun is the outcome of one filter.
type filteredRun struct {
	recall      float64
	short       int
	latency     Latency
	mean, exact time.Duration
	free        time.Duration // mean of the same queries without a filter, asked in turns with those that have it
	counters    Counters
	plans       map[string]int
}

func (x filteredRun) cells(name string, share float64) []any {
	return []any{name, share, x.recall, x.short, ms(x.latency.P50), ms(x.latency.P99), ms(x.mean),
		float64(x.mean) / float64(x.free), ms(x.exact), float64(x.mean) / float64(x.exact),
		x.counters.Distances, x.counters.Hops, x.counters.RowsRead, fmt.Sprint(x.plans)}
}

// uncountedQueries is the number of queries that are asked before those that count.
const uncountedQueries = 100

// exactQueries is the number of queries that are also answered by an exact scan, for its time.
const exactQueries = 50

// comparedQueries is the number of queries of a filter by which plans are compared, leastRecall what one of them must find
// to count.
const (
	comparedQueries = 100
	leastRecall     = 0.95
)

// comparedPlans are, after the engine's own choice, what it is compared with.
var comparedPlans = []engine.Plan{"", engine.PlanMatches, engine.PlanFiltered, engine.PlanCells, engine.PlanTwoHop}

// comparePlans asks each query once by every plan, in turns, and returns the cells of the table.
func (r *Run) comparePlans(ctx context.Context, l *local, f family, expr filter.Expr, truth *dataset.Truth) ([]any, error) {
	took, hits := make([]time.Duration, len(comparedPlans)), make([]int, len(comparedPlans))
	wanted, queries := 0, min(comparedQueries, f.queries.Len())
	for i := range queries {
		for turn := range comparedPlans {
			p := (i + turn) % len(comparedPlans)
			if i/len(comparedPlans)%2 == 1 { // what follows a plan finds the codes in the cache that it read
				p = len(comparedPlans) - 1 - p
			}
			a, err := l.ask(ctx, 0, engine.SearchRequest{Query: f.queries.Row(i), K: r.K, Ef: r.Ef, Filter: expr, Plan: comparedPlans[p]})
			if err != nil {
				return nil, err
			}
			h, n := overlap(a.ids, truth.Of(i), r.K)
			took[p], hits[p] = took[p]+a.took, hits[p]+h
			if turn == 0 {
				wanted += n
			}
		}
	}
	var cells []any
	better := math.Inf(1)
	for p, plan := range comparedPlans {
		recall := float64(hits[p]) / float64(max(1, wanted))
		cells = append(cells, ms(took[p]/time.Duration(queries)), recall)
		if (plan == engine.PlanMatches || plan == engine.PlanFiltered) && recall >= leastRecall {
			better = min(better, float64(took[p]))
		}
	}
	if math.IsInf(better, 1) {
		return append(cells, nil), nil
	}
	return append(cells, float64(took[0])/better), nil
}

// filteredBy asks the queries of a family with one filter.
func (r *Run) filteredBy(ctx context.Context, l *local, f family, expr filter.Expr, truth *dataset.Truth) (filteredRun, error) {
	x := filteredRun{plans: map[string]int{}}
	for i := range min(uncountedQueries, f.queries.Len()) { // what computed the truth left nothing of ours in the caches
		if _, err := l.ask(ctx, 0, engine.SearchRequest{Query: f.queries.Row(i), K: r.K, Ef: r.Ef, Filter: expr}); err != nil {
			return x, err
		}
	}
	var took []time.Duration
	hits, wanted := 0, 0
	for i := range f.queries.Len() {
		for turn := range 2 { // the second one finds in the cache what the first one read
			req := engine.SearchRequest{Query: f.queries.Row(i), K: r.K, Ef: r.Ef}
			filtered := turn == i%2
			if filtered {
				req.Filter = expr
			}
			a, err := l.ask(ctx, 0, req)
			if err != nil {
				return x, err
			}
			if !filtered {
				x.free += a.took
				continue
			}
			x.plans[a.plan]++
			took = append(took, a.took)
			x.mean += a.took
			x.counters.add(a.counters)
			h, n := overlap(a.ids, truth.Of(i), r.K)
			hits, wanted = hits+h, wanted+n
			if len(a.ids) < n {
				x.short++
			}
		}
	}
	scans := min(exactQueries, f.queries.Len())
	for i := range scans {
		a, err := l.ask(ctx, 0, engine.SearchRequest{Query: f.queries.Row(i), K: r.K, Exact: true, Filter: expr})
		if err != nil {
			return x, err
		}
		x.exact += a.took
	}
	x.recall, x.latency = float64(hits)/float64(max(1, wanted)), latencyOf(took)
	x.mean /= time.Duration(len(took))
	x.free /= time.Duration(len(took))
	x.exact /= time.Duration(scans)
	x.counters.scale(1 / float64(len(took)))
	return x, nil
}

// sides returns the rank of every row by its product with the first query, from 0 to 999, and the
// queries by ascending product.
func (r *Run) sides(ctx context.Context) (side, queries []int, err error) {
	pole := r.set.Queries.Row(0)
	products := make([]float32, r.set.Rows)
	err = r.set.Each(ctx, 0, r.set.Rows, 4096, 1, func(_, from int, rows *dataset.Rows) error {
		for i := range rows.Len() {
			products[from+i] = distance.DotF32(rows.Row(i), pole)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	side = make([]int, r.set.Rows)
	for at, row := range ascending(products) {
		side[row] = at * 1000 / r.set.Rows
	}
	toPole := make([]float32, r.set.Queries.Len())
	for i := range toPole {
		toPole[i] = distance.DotF32(r.set.Queries.Row(i), pole)
	}
	return side, ascending(toPole), nil
}

// ascending returns the positions of values in ascending order of these.
func ascending(values []float32) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	return order
}

func pick(rows *dataset.Rows, which []int) *dataset.Rows {
	out := &dataset.Rows{Dim: rows.Dim}
	for _, i := range which {
		out.Data = append(out.Data, rows.Row(i)...)
	}
	return out
}

// scatter maps row numbers to 0..999 evenly and without a pattern that a graph could know: the
// fractional part of multiples of the golden ratio.
func scatter(row int) int {
	_, f := math.Modf(float64(row) * 0.6180339887498949)
	return int(f * 1000)
}

// least returns the bound that lets about permille in a thousand of the values pass, at least one.
func least(values []int, permille int) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)-len(sorted)*permille/1000)]
}

func count(values []int, from int) (n int) {
	for _, v := range values {
		if v >= from {
			n++
		}
	}
	return n
}

package vectorindex

import (
	"slices"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/mmapvec/quant"
)

// askedBook is a codebook with the query prepared for it.
type askedBook struct {
	book  *codebook
	query quant.Query
	ready bool // for this search
}

// maxAsked bounds the queries that a scratch keeps: codebooks change with the configuration only.
const maxAsked = 4

// forgetQueries makes the prepared queries those of an earlier search.
func (sc *scratch) forgetQueries() {
	if len(sc.asked) > maxAsked {
		sc.asked = nil
	}
	for i := range sc.asked {
		sc.asked[i].ready = false
	}
}

// aim makes c what is scored and returns the query for its codebook.
func (sc *scratch) aim(c coded) quant.Query {
	sc.codes = codeScorer{sc.ask(c.book), c}
	return sc.codes.query
}

func (sc *scratch) ask(book *codebook) quant.Query {
	for i := range sc.asked {
		a := &sc.asked[i]
		if a.book != book {
			continue
		}
		if !a.ready {
			a.query.Reset(sc.r.Query)
			a.ready = true
		}
		return a.query
	}
	q := book.quantizer.NewQuery()
	q.Reset(sc.r.Query)
	sc.asked = append(sc.asked, askedBook{book, q, true})
	return q
}

// mixed tells whether candidates were scored on codes that cannot be compared.
func (sc *scratch) mixed() bool {
	n := 0
	for _, a := range sc.asked {
		if a.ready {
			n++
		}
	}
	return n > 1
}

// count counts n distances on codes, of which sifted ended after what is read of all.
func (sc *scratch) count(n, sifted int, book *codebook) {
	sc.stats.Distances += n
	sc.stats.Coded += int64(n-sifted)*int64(book.stride) + int64(sifted)*int64(book.first)
}

// scorer gives the distances that walks go by: of codes, or of the rows themselves.
func (sc *scratch) scorer() hnsw.Scorer {
	if sc.r.Rows {
		sc.rows.sc = sc
		return &sc.rows
	}
	sifter := quant.SifterOf(sc.codes.query)
	sc.planes = planeScorer{&sc.codes, sifter}
	switch {
	case sc.trace != nil && sifter != nil:
		return &siftRecorder{recorder{Scorer: &sc.codes, trace: sc.trace, codes: sc.codes.codes}, &sc.planes}
	case sc.trace != nil:
		return &recorder{Scorer: &sc.codes, trace: sc.trace, codes: sc.codes.codes}
	case sifter != nil:
		return &sc.planes
	}
	return &sc.codes
}

// rowScorer implements hnsw.Scorer on rows.
type rowScorer struct{ sc *scratch }

// Prefetch implements hnsw.Prefetcher: rows that are not in memory are asked for together.
func (rs *rowScorer) Prefetch(ords []uint32) {
	sc := rs.sc
	sc.slots = slices.Grow(sc.slots[:0], max(len(ords), scanBatch))[:max(len(ords), scanBatch)]
	for i, ord := range ords {
		sc.slots[i] = sc.nodes[min(int(ord), len(sc.nodes)-1)]
	}
	sc.v.rows.PrefetchCold(sc.slots[:len(ords)])
}

// Distances computes with rows as they are mapped; what is returned is verified afterwards.
func (rs *rowScorer) Distances(ords []uint32, out []float32, _ float32) {
	sc := rs.sc
	for i, ord := range ords {
		slot := sc.nodes[min(int(ord), len(sc.nodes)-1)]
		out[i] = sc.query.Stored(sc.v.rows.Peek(slot))
	}
	sc.stats.RowsRead += len(ords)
}

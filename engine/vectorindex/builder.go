package vectorindex

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/nice"
)

// builder inserts ords into graphs, a batch at a time. It is for one goroutine, which spreads a batch over workers, whose
// threads have a lower priority than those that serve requests.
type builder struct {
	space   codeSpace
	workers []buildWorker
	batch   int // ords of the next batch
	built   *Built
}

type buildWorker struct {
	probe   hnsw.Probe
	book    *codebook // of probe
	scratch *hnsw.Scratch
}

const (
	serialInserts = 256 // the first nodes of a graph are inserted one by one: in parallel they would not find each other
	firstBatch    = 64
	maxBatch      = 8192
	sliceTime     = 25 * time.Millisecond // aim of one batch
	insertRun     = 16                    // nodes that one worker inserts after one another: rows that come together are often near, and nodes under way do not find each other
)

// aim makes codes, by ord, what is built over.
func (b *builder) aim(ix *Index, book *codebook, codes []byte) {
	b.space = codeSpace{book: book, codes: codes}
	if b.workers == nil {
		b.workers = make([]buildWorker, ix.o.Parallelism)
		b.batch, b.built = firstBatch, ix.o.Built
	}
	for i := range b.workers {
		w := &b.workers[i]
		if w.scratch == nil {
			w.scratch = hnsw.NewScratch()
		}
		if w.book != book {
			w.probe, w.book = b.space.NewProbe(), book
		}
	}
}

// rest drops the codes, which may be freed now.
func (b *builder) rest() { b.space.codes = nil }

// insert inserts one batch of the ords from to to-1 of the codes aimed at and returns the first ord that is left.
func (b *builder) insert(g *hnsw.Graph, from, to int) (int, error) {
	to = min(to, from+b.batch)
	begun := time.Now()
	workers := b.workers
	if from < serialInserts {
		workers = workers[:1]
		to = min(to, serialInserts)
	}
	var next atomic.Int64
	next.Store(int64(from))
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i := range workers {
		nice.Go(&wg, func() {
			distances := 0
			defer func() { b.built.Distances.Add(int64(distances)) }()
			errs[i] = mmap.Guard("merge", func() error { // its memory may be a file
				for {
					end := int(next.Add(insertRun))
					if end-insertRun >= to {
						return nil
					}
					for ord := end - insertRun; ord < min(end, to); ord++ {
						if err := g.Insert(uint32(ord), workers[i].probe, workers[i].scratch); err != nil {
							return err
						}
						distances += workers[i].scratch.Stats.Distances
					}
				}
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return from, err
	}
	b.built.Rows.Add(int64(to - from))
	switch took := time.Since(begun); {
	case took < sliceTime/2 && to-from == b.batch:
		b.batch = min(2*b.batch, maxBatch)
	case took > 2*sliceTime:
		b.batch = max(b.batch/2, firstBatch)
	}
	return to, nil
}

// insertTail inserts one batch of the oldest tail into its head graph.
func (ix *Index) insertTail(p *part) error {
	g := p.graph.Load()
	if g == nil {
		var err error
		if g, err = hnsw.New(p.capacity, ix.graphParams()); err != nil {
			return err
		}
		p.graph.Store(g)
	}
	ix.build.aim(ix, p.book, p.codes)
	defer ix.build.rest()
	walked, err := ix.build.insert(g, int(p.walked.Load()), p.len())
	if err != nil {
		return err
	}
	p.charge(int64(walked-int(p.walked.Load())) * ix.linkBytes())
	ix.strain.inserted.Add(int64(walked) - int64(p.walked.Load()))
	p.walked.Store(uint32(walked))
	return nil
}

func (ix *Index) graphParams() hnsw.Params {
	return hnsw.Params{M: ix.conf().M, EfConstruction: ix.conf().EfConstruct, Seed: ix.o.Seed, Workers: ix.o.Parallelism}
}

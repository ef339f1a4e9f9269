package vectorindex

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// sealable returns a part that is due to become a segment: a full one, or at rest one that is worth it.
func (ix *Index) sealable(s *sources) *part {
	if !ix.may() {
		return nil
	}
	idle := ix.idle()
	for _, p := range s.parts {
		n := p.len()
		if ix.full(s, p) {
			return p
		}
		if n == 0 || ix.inserts(s, p) || ix.merge.holds(p) {
			continue
		}
		worth := max(largest(s.segments)/idleTier, 1)
		if idle && n >= worth && (len(s.segments) > 0 || ix.worthFile(n)) {
			return p
		}
		if p.graph.Load() != nil && p.dead.Load() > rewriteMinDead && 2*int(p.dead.Load()) > n {
			return p
		}
	}
	return nil
}

// full tells whether a part takes no more rows and may become a segment.
func (ix *Index) full(s *sources, p *part) bool {
	n := p.len()
	return n > 0 && (p.frozen.Load() || n == p.capacity) && !ix.inserts(s, p) && !ix.merge.holds(p)
}

// worthFile tells whether so many rows take longer to encode at the next start than a file of them takes to read.
func (ix *Index) worthFile(rows int) bool {
	return ix.conf().rawBytes(rows) >= min(ix.conf().IndexFromBytes, defaultThresholdBytes)
}

func largest(segments []*segment) (n int) {
	for _, sg := range segments {
		n = max(n, sg.live())
	}
	return n
}

// idle tells whether no row came for a while.
func (ix *Index) idle() bool { return ix.longAgo(&ix.lastAppend) }

func (ix *Index) longAgo(nanos *atomic.Int64) bool {
	return time.Now().UnixNano()-nanos.Load() > int64(ix.o.SealIdle)
}

// deadShareMax is the share of dead rows from which a segment is written anew.
func (ix *Index) deadShareMax() float64 {
	if ix.idle() && ix.longAgo(&ix.lastKill) {
		return idleDeadShareMax
	}
	return busyDeadShareMax
}

// freeze lets p take no more rows.
func (ix *Index) freeze(p *part) {
	ix.writeMu.Lock()
	defer ix.writeMu.Unlock()
	p.frozen.Store(true)
}

// seal writes a part as a segment. One with many dead rows is merged into one instead, unless
// background work is switched off.
func (ix *Index) seal(ctx context.Context, p *part) error {
	ix.freeze(p)
	if int(p.walked.Load()) < p.len() && p.graph.Load() != nil {
		return nil // rows came in between: insert these first
	}
	if float64(p.dead.Load()) > busyDeadShareMax*float64(p.len()) && !ix.conf().NoBackground {
		if ix.merge != nil {
			return ix.mergeSlice(ctx)
		}
		return ix.beginMerge(nil, []*part{p})
	}
	return ix.sealPrefix(ctx, p, p.len())
}

// sealPrefix writes the first n ords of a frozen part as a segment, with cells unless ctx ends before; the rest, if any, becomes
// a part of its own.
func (ix *Index) sealPrefix(ctx context.Context, p *part, n int) error {
	begun := time.Now()
	c := change{dropParts: []*part{p}}
	sf, err := ix.createNew(n, p.book)
	if err != nil {
		return err
	}
	if n < p.len() {
		rest, err := newPart(p.len()-n, p.book, ix.o.Budget)
		if err != nil {
			sf.drop()
			return err
		}
		for ord := n; ord < p.len(); ord++ {
			rest.copyOrd(p.slots[ord], p.codes[ord*p.stride:])
		}
		rest.frozen.Store(true)
		c.addParts = []*part{rest}
	}
	in := p.seal(n)
	var sg *segment
	if err = ix.cluster(ctx, &in); err == nil {
		sg, err = ix.writeNew(sf, in)
	} else {
		sf.drop()
	}
	if err != nil {
		for _, rest := range c.addParts {
			rest.free()
		}
		return err
	}
	c.addSegments = []*segment{sg}
	if err := ix.commit(c); err != nil {
		return err
	}
	ix.o.Log.Info("segment sealed", "file", sg.ref.File, "rows", sg.rows, "bytes", sg.ref.Bytes, "took", time.Since(begun))
	return nil
}

// SealAll makes the next start short: it inserts the tail until ctx ends and writes what the graphs in memory hold as
// segments, where that is worth it. A merge under way is given up. The engine calls it before a clean stop.
func (ix *Index) SealAll(ctx context.Context) error {
	ix.workMu.Lock()
	defer ix.workMu.Unlock()
	if ix.isClosed() || ix.broken != nil || ix.o.Flat {
		return ix.broken
	}
	if ix.merge != nil {
		ix.endMerge()
	}
	if err := ix.settleCodes(ctx); err != nil {
		return err
	}
	s := ix.pin()
	defer s.release()
	builds := ix.wantsGraph(s)
	for _, p := range s.parts {
		for builds && int(p.walked.Load()) < p.len() && ctx.Err() == nil {
			if err := ix.insertTail(p); err != nil {
				return err
			}
		}
		if from, to := p.uncoded(p.len()); from < to {
			continue // ctx ended before
		}
		ix.freeze(p)
		n := p.len()
		if p.graph.Load() != nil || builds {
			n = int(p.walked.Load())
		}
		if n == 0 || n == p.snapshotRows() || !ix.worthFile(n) {
			continue
		}
		if err := ix.sealPrefix(ctx, p, n); err != nil {
			return err
		}
	}
	return nil
}

// settleCodes does what comes before graphs and files.
func (ix *Index) settleCodes(ctx context.Context) error {
	for ctx.Err() == nil {
		s := ix.pin()
		var err error
		p, bare := ix.recodable(s), encodable(s)
		switch {
		case ix.centres(s):
			err = ix.fixCentre(s)
		case p != nil:
			err = ix.recode(p)
		case bare != nil:
			err = ix.encodeSome(bare)
		default:
			s.release()
			return nil
		}
		s.release()
		if err != nil {
			return err
		}
	}
	return nil
}

// createNew reserves the file of a segment of so many rows.
func (ix *Index) createNew(rows int, book *codebook) (*segmentFile, error) {
	ix.mu.Lock()
	id := ix.nextFile
	ix.nextFile++
	ix.mu.Unlock()
	bytes := int64(1<<16) + int64(rows)*int64(book.stride+16)
	if !ix.conf().NoGraph {
		bytes += int64(rows)*ix.linkBytes() + cellsBytes(int64(cellsPerRoot*math.Sqrt(float64(rows))), int64(book.stride))
	}
	if err := ix.o.Room(bytes); err != nil {
		return nil, err
	}
	return createSegment(ix.o.FS, ix.o.Dir, id, bytes)
}

// writeNew writes and maps a segment that nothing names yet.
func (ix *Index) writeNew(sf *segmentFile, in segmentInput) (*segment, error) {
	ref, err := sf.write(ix.conf(), in)
	if err != nil {
		return nil, err
	}
	sg, err := openSegment(ix.o.FS, ix.o.Dir, ref)
	if err != nil {
		_ = ix.o.FS.Remove(sf.name) // nobody names it
		return nil, err
	}
	sg.book, sg.undividable = in.book, in.undividable
	sg.checked = sg.blocks() // just written
	return sg, nil
}

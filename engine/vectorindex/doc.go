// Package vectorindex is the index of one named vector of a collection:
//
//	tail (codes, scanned) -> head (growing graph over codes) -> sealed segments (immutable, mapped)
//
// [Index.Append] puts the codes of new slots into memory, where searches find them at once by scanning: the tail.
// Background slices ([Index.Work]) insert them into a graph, the head; seal a full head into one immutable file, the
// segment; and merge segments towards one. What a growing graph holds is written as a snapshot now and then, a segment that only
// a start after a crash reads. The package knows no collections, no log, no payloads and no names: it gets
// slots and rows, and answers slots and distances.
//
//	ix, problems, err := vectorindex.Open(options, saved, live)
//	ix.Append(slots, rows)
//	for { did, err := ix.Work(ctx) ... }
//	v := ix.View()
//	defer v.Release()
//	results, err := v.Search(ctx, vectorindex.Request{Query: q, K: 10}, nil)
//
// # Terms
//
// An ord is the dense position of a vector in one part or segment; only here ord and slot meet. A part is the mutable
// piece in memory: the graph covers its ords below the watermark ("walked"), the tail is what lies above. A source is a
// part or a segment.
//
// # Concurrency
//
// Append and Kill have one writer. Everything else is safe for concurrent use, beside the writer too. Work runs one
// slice at a time, a second caller returns at once. A [View] pins its sources: no memory is freed, no file unmapped or
// removed under it.
//
// Lock order: workMu, writeMu, deadMu, mu. The callback Options.Commit runs under workMu only.
//
// The segment file is described in FORMAT.md.
package vectorindex

// Package quant turns float32 vectors into short codes and estimates distances between a query and many codes.
//
//	qz := quant.New(quant.Params{Dim: 768, Metric: distance.L2, Seed: seed, Bits: 4, Centre: mean})
//	qz.Encode(codes[slot*qz.Stride():][:qz.Stride()], row)
//	query := qz.NewQuery() // one per worker, reused
//	query.Reset(vector)
//	query.Distances(codes, ids, out, bound)
//
// An estimate serves to walk a graph or to scan a tail; the few best candidates are then rescored on the exact rows.
// Codes for Dot and L2 are of the vector relative to a centre and rotated at random, so that the errors of estimates are
// random too, whatever the data: [Query.Deviation] says how large. Those of 8 bits are bytes; those of fewer are bit
// planes, and where a row is long, a look at its first plane tells whether the others are worth a look; those of 4 bits may lie two to
// a byte, which takes fewer cache lines where rows are short. Codes for L1, and
// plain ones, are of the vector as it is.
//
// A code is a pure function of the parameters and the row, the same on every machine, because it lives on disk;
// FORMAT.md describes its bytes.
//
// Quantizers are safe for concurrent use, each [Query] is for one goroutine.
package quant

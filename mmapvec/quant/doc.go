// Package quant turns float32 vectors into short codes and estimates distances between a query and many codes.
//
//	qz := quant.New(quant.Params{Dim: 100, Metric: distance.L2, Seed: seed})
//	qz.Encode(codes[slot*qz.Stride():][:qz.Stride()], row)
//	query := qz.NewQuery() // one per worker, reused
//	query.Reset(vector)
//	query.Distances(codes, ids, out, bound)
//
// An estimate serves to walk a graph or to scan a tail; the few best candidates are then rescored on the exact rows.
// A code is a pure function of the parameters and the row, the same on every machine, because it lives on disk;
// FORMAT.md describes its bytes.
//
// Quantizers are safe for concurrent use, each [Query] is for one goroutine.
package quant

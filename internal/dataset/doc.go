// Package dataset holds the data of benchmarks and of the tools below test/: rows, queries, what
// filters may use, and exact neighbours.
//
//	set, err := dataset.Open(dataset.Options{Name: "synthetic", Rows: 1_000_000, Dim: 768})
//	truth, err := set.Truth(ctx, cacheDir, nil)
//	err = set.Each(ctx, 0, set.Rows, func(from int, rows *dataset.Rows) error { ... })
//
// Synthetic rows are generated block by block and never held together. The sets with names of real
// data are read from a directory that a script of prepare/ has written:
//
//	base.fvecs, query.fvecs   rows {dim int32, dim × float32}, little-endian
//	payload.jsonl             one JSON object a row of base
//	set.json                  {"metric": "cosine"|"l2"|"dot", "dim", "rows", "queries",
//	                           "fields": {name: "integer"|"keyword"}}
//
// A Set is safe for concurrent use.
package dataset

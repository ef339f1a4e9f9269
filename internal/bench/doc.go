// Package bench measures a database on known data: recall and throughput in process and over both
// protocols, ingest, filters, churn, limited memory, restarts, builds; hnswlib beside it.
//
//	r, err := bench.Open(ctx, bench.Config{Set: dataset.Options{Name: "synthetic"}, Out: os.Stdout})
//	defer r.Close()
//	err = r.Search(ctx)
//	report := r.Report()
//
// Every mode is a method of Run and adds tables to the report. Comparisons are ratios within one
// run, rounds A B B A; two runs of A in one round say how steady the machine was. Recall is against
// exact neighbours computed here, k of them. Times stand beside counters, which do not depend on
// the machine's mood, and beside processor time where both sides can tell theirs.
//
// A Run is for one goroutine. The processes it starts end with their mode.
package bench

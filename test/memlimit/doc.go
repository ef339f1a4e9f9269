// Command memlimit loads collections into the real server under a memory limit that they exceed several times, and watches
// the anonymous memory of the process all the while: it may never be more than the limit.
//
//	go run ./test/memlimit                                    # small numbers, as CI has them
//	go run ./test/memlimit -rows 2000000 -dim 768 -limit 1536 # large ones
//
// Every collection is loaded into a server of its own: one that builds graphs, one that never does (indexing_threshold 0)
// and one without background work (max_optimization_threads 0). At rest stored rows are searched for, the server is killed,
// started again and asked once more.
package main

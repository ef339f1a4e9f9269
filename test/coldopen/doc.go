//go:build linux

// Command coldopen measures how long a database takes from nothing in memory to its first correct answer.
//
//	go run ./test/coldopen -dir data -add 1000000        # load, wait for the graphs, stop cleanly
//	go run ./test/coldopen -dir data -rounds 5           # open, search, stop cleanly
//	go run ./test/coldopen -dir data -add 20000 -kill    # load more and die as by kill -9
//	go run ./test/coldopen -dir data -rounds 5 -kill     # open, search, die again
//
// Rows are clustered and made from their number, so none is kept: the answer to the row of a point is that point. Before
// each round the files leave the page cache; each round is a process of its own. Printed are the time of Open, that until
// the first answer, the bytes that came from the disk, and where they are: pages in memory afterwards by directory.
package main

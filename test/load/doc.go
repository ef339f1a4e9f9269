// Command load fills a real server with vectors and says what it costs.
//
//	go run ./test/load -mode http  -base base.fvecs [-query query.fvecs -truth truth.i32]
//	go run ./test/load -mode resp  -base base.fvecs
//	go run ./test/load -mode empty
//
// http and resp load all rows in requests of 1 000 (batches, pipelines), encoded before the clock starts, and ask for some rows of a
// request by their own vector as soon as it is acknowledged: each must be found at once, whether
// a graph exists or not. Then they wait for the graphs and print memory by component and disk.
// With -kill the server is killed right after the last acknowledgement, and again when the graphs
// are there; the time to the first answer is printed and rows are looked for again.
//
// empty creates a thousand collections and prints what they cost over the empty server.
//
// The server is started by the program itself, from -bin or built from cmd/isobath, and ended with
// it. glove.py makes the files of the benchmarks.
package main

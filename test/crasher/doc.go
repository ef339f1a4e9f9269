// Command crasher kills the real server in the middle of mixed HTTP and RESP writes, restarts it
// and asks the oracle whether anything acknowledged is missing, anything deleted is back, or
// anything happened by halves.
//
//	go run ./test/crasher -cycles 50 -seed 1
//
// A cycle: start (one in five is killed again during recovery), wait for the first answer over
// both protocols, compare everything with the model, then let all writers work until SIGKILL at a
// random moment; one cycle in ten ends with SIGTERM instead. Every few cycles "isobath check"
// judges the directory that the kill left.
//
// The clients: four writers of points over HTTP (upsert, delete, payload operations, by ID and by
// filter, waiting and not), two writers of hashes over RESP (pipelines, transactions), two that
// increment one field through pipelines, two that contend for one key with WATCH, one that
// creates and drops collections, one that asks for checkpoints, and readers that look for half
// transactions while it all runs. See package oracle for what is compared.
//
// The seed decides what is sent and when the kill comes, but not how the two interleave: a seed
// repeats the kind of a failure, not its exact moment. The directory of a failure is kept.
package main

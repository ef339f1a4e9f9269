// Package oracle knows what a database that was killed may hold and what it must hold.
//
// A Lane is the work of one writer on keys that nobody else writes, in the order it was sent. An
// operation is acknowledged, or in flight: sent without an answer. After a kill the state must be
// that of all acknowledged operations plus some number of the operations in flight, in their
// order and each one whole. So a lost write, a delete undone, half a request and half a
// transaction all show in the same comparison.
//
//	lane := oracle.NewLane[string](oracle.Point.Equal)
//	lane.Begin(oracle.Op[string, oracle.Point]{What: "upsert", Changes: ...}) // before sending
//	lane.Acked(1)                                                             // the answer came
//	kept, err := lane.Resolve(found)                                          // after a restart
//
// A Tally is the same for counters that several clients increment at once: the sum lies between
// what was acknowledged and what was sent, and no reply may be seen twice.
//
// A Lane and a Tally are used by one goroutine at a time unless their comment says otherwise.
package oracle

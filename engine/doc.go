// Package engine is the database: one directory with one log, one badger store and many
// collections of points with named vectors, payloads and payload indexes, and beside them
// the documents (keys) of the RESP protocol with the FT indexes that are fed from them.
//
// A write is validated, sequenced, logged, applied, published and acknowledged, in this order;
// a read pins one published sequence number. docs/architecture.md follows both through the code.
//
// # Concurrency
//
// A DB and its collections are safe for concurrent use. Lock order: sequencer.mu, then
// DB.mu, then the locks inside the packages below.
package engine

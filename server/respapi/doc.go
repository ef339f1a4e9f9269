// Package respapi serves the Redis protocol: it turns commands into calls of the keyspace and
// the engine, and their results into replies. It holds no rules of its own.
//
// # Concurrency
//
// Every connection has two goroutines. One reads, parses and executes: it hands each write to
// the sequencer and goes on with the next command without waiting. The other writes replies
// in order; a reply of a write leaves after the write was published, or is replaced by its
// error. Before a read command runs, the connection's own earlier writes are waited for.
//
// A connection may have 64 MiB of unread replies; then no further command is executed until
// the client reads, and after a while without progress the connection is closed.
//
// # Transactions
//
// EXEC runs all its commands inside one update of the keyspace: one record, one publication.
// Commands that need a published state (FT.*, see flagOutside) run right after that
// publication, so they see the whole EXEC wherever they stand in it.
package respapi

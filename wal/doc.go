// Package wal is the write-ahead log: numbered records in preallocated files, in one directory.
//
// Append copies a record into a buffer; Sync writes and flushes what was appended before the call.
// A record is durable when Sync has returned its number or a later one. The log does not know what
// it carries: a record is a number, a term, a kind and bytes.
//
//	l, err := wal.Open(wal.Options{FS: vfs.OS, Dir: "db/wal"})
//	err = l.Replay(checkpoint+1, apply)
//	err = l.Append(wal.Record{Seq: l.Last() + 1, Kind: 1, Data: data})
//	durable, err := l.Sync()
//
// Group commit is made by the caller: one goroutine appends, another calls Sync in a loop; what is
// appended during one Sync is the group of the next.
//
// # After a crash
//
// Open reads every record. Damage is told apart from the unfinished end of a crash by the frames
// themselves: each says up to which record the log was durable when the frame was written. A bad
// record that some later frame calls durable is damage: the log opens read-only and Damage says
// where. Otherwise the log ends before the bad record and goes on in a new file, under a new random
// epoch that is part of every checksum, so that nothing written behind the end can come back.
// Records whose durability no frame proves are copied into the new file, whatever the page cache
// says about the old one.
//
// After a failed write or flush the log is dead: Append and Sync return ErrFailed until it is
// opened again. Nothing is retried, because the kernel may have dropped the pages.
//
// # Concurrency
//
// One goroutine appends, one at a time of Sync, TruncateSuffix, SetStart and Close runs (they exclude
// each other); TruncatePrefix, Replay and the getters may run at any time. Lock order: dropMu or
// syncMu, then mu.
//
// The format is written down in FORMAT.md.
package wal

// Package payload keeps what a point carries beside its vectors: its id, and its payload, a JSON object.
//
// # Ids
//
// PointID is a number or a UUID. AppendKey writes it so that the order of bytes is the order of ids.
//
// # Store
//
// Store is a key-value store with versions, over badger in managed mode. Every write happens at the
// sequence number of its log record and every read at the sequence number of a view. Applying a
// record again changes nothing, so recovery simply replays the log from the last checkpoint:
//
//	s, err := payload.Open(payload.Options{Dir: dir})
//	err = s.Apply([]payload.Op{{Key: k, Value: v, Seq: 7}})
//	v, err := s.Get(7, k, nil)
//	err = s.Sync()     // a checkpoint at 7: everything applied is durable
//	s.SetDiscard(7)    // older versions may go
//
// Values carry a checksum over key, sequence and bytes, verified at every read. Those of more than
// 256 bytes are blobs, in files of the store's own (blobs.go); the space of those that were replaced or
// deleted comes back in the background (collect.go). FORMAT.md describes keys, values and files;
// options.go gives every option of badger and its reason.
//
// A key whose table is damaged may be missing instead of unreadable: for a key that must exist,
// ErrNotFound is damage. Verify and Check read everything. Damage tells after Open that badger came up
// without records that had been synced.
//
// # JSON
//
// Payloads stay the bytes that a client sent. Path selects values, Value reads them, and Merge,
// MergeAt, Remove and Project make new documents by copying pieces of old ones, so that numbers keep
// their digits. Validate is the gate at the entrance.
//
// # Concurrency
//
// Apply, SetDiscard and Sync belong to one writer; everything else is safe for concurrent use. Lock
// order: Store.syncMu, Store.applyMu, collector.mu and blobFiles.syncMu, blobFiles.mu.
package payload

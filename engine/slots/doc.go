// Package slots keeps what a collection knows of each slot: the point's id, the number of its last
// operation, and the sequence numbers of its birth and death; and it hands out slots.
//
//	slot := t.Allocate()
//	t.Set(slot, slots.Row{ID: id, Version: op, Birth: seq})
//	t.Kill(old, seq)
//	visible := t.Visible(slot, view) // birth <= view < death
//
// Rows live in pages of 1024, an array for each field, outside the Go heap. A page that was loaded or
// saved is read from the mapped file, and copied when it is written to.
//
// # Saving
//
// BeginSave fixes a state, Run writes it in the background, FinishSave takes the result over. Only
// pages written to since the last save go to the new file (shadow paging); Saved names every file
// that is still needed. What the writer does after BeginSave is not part of the saved state: pages
// that wait for Run are copied before they are changed. Old files may be removed as soon as the new
// Saved is durable in the manifest: open mappings outlive the names.
//
// # Concurrency
//
// One writer calls Set, SetVersion, Kill, Allocate, Free, BeginSave and FinishSave; Run may run in
// another goroutine meanwhile; everything else may be called by anyone at any time. Memory of a
// replaced page is reused when the garbage collector has seen that no reader holds it.
//
// A slot may be allocated again only after Free, and Free must be called only for slots whose death
// no view precedes. Get is consistent for rows that are visible to the caller's view, except that
// Version may be newer.
//
// # Damage
//
// Pages of a loaded table are verified at their first use. A bad page shows no rows, Damage tells of
// it, and from then on Run refuses to write.
//
// Rows are kept in the byte order of the machine, which must be little-endian. The files are
// described in FORMAT.md.
package slots

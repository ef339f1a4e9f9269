// Package hnsw is a navigable small world graph over nodes that are only numbers.
//
// A node is an ord, a dense uint32. The graph holds links, no vectors: distances come in batches from a [Scorer], one
// call for all neighbours of a node that were not seen before. Two forms exist, searched by the same code:
//
//   - [Graph] grows by [Graph.Insert], up to a fixed capacity, in memory off the Go heap;
//   - [Mapped] is read-only and lies over bytes written by [Encode] (see FORMAT.md), normally a file mapping. Nothing
//     is copied.
//
// Terms: M links a node on upper levels, M0 = 2*M on level 0; Ef is the width of a search. Level of a node is drawn
// from its ord and a seed.
//
// Departures from Malkov & Yashunin, arXiv:1603.09320:
//
//   - One sorted buffer of packed (distance, ord) words stands for both heaps.
//   - Links that form a spanning tree are marked and never pruned, so that every node stays reachable whatever the
//     data look like; they are about two of a node's M0 links.
//   - Nodes at the distance of a node to itself (twins) reject each other in the neighbour selection, so that a heap
//     of equal vectors does not fill all lists.
//   - A candidate is rejected when it is 1.1 times nearer to a chosen neighbour, and a full row is pruned to four fifths.
//   - Walks have three nodes under way, so that memory is asked for before it is needed; see walk.
//   - A new node chooses up to 3/2*M links on level 0 instead of M: its row has room for M0.
//   - The heuristic compares in batches, the chosen against all later candidates, and links carry no cached
//     distances: one batch recomputes those of a full row.
//
// Concurrency: Insert may run in parallel with other inserts and with searches. Readers take no locks: links are
// atomic words. Lock order: seed, top, one node stripe. A [Scratch] belongs to one goroutine at a time.
package hnsw

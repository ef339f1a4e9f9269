package quant

import "github.com/isobath/isobath/mmapvec/distance"

// Params say what a quantizer encodes. Codes of different parameters do not mix.
type Params struct {
	Dim    int             // floats in a row, 1 to 65536
	Metric distance.Metric // what the estimates estimate
	Seed   uint64          // of the random rotation
}

// Quantizer encodes rows and prepares queries. It is safe for concurrent use.
type Quantizer interface {
	// Stride returns the bytes of one code row, a multiple of 64.
	Stride() int
	// Encode writes the code of row to dst, which is Stride bytes long. Rows hold finite numbers and are normalised
	// already where cosine is meant; others get some code, without a panic.
	Encode(dst []byte, row []float32)
	// NewQuery returns a query without a vector: call Reset or ResetCode first.
	NewQuery() Query
}

// Query estimates the distances of one vector to codes. It is for one goroutine and allocates nothing once made.
type Query interface {
	// Reset makes q the query.
	Reset(q []float32)
	// ResetCode makes a stored code the query. The estimates are a little coarser than those of Reset.
	ResetCode(code []byte)
	// Distances writes to out[i] the estimated distance to the code row ids[i] of codes. Estimates of squared distances
	// may lie a little below zero. Of a row that is very probably not nearer than bound any value from bound on may
	// be written: codes of several planes look at the first one only then. A bound of +Inf asks for all.
	Distances(codes []byte, ids []uint32, out []float32, bound float32)
	// Distance returns the estimated distance to one code row.
	Distance(code []byte) float32
	// ErrorBound returns what |estimate - exact| rarely exceeds for rows about as long as the query, 0 if unknown.
	ErrorBound() float32
}

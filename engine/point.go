package engine

import "github.com/isobath/isobath/payload"

// PointID is the client's id of a point: an unsigned 64-bit number or a UUID.
type PointID = payload.PointID

// Vectors holds the vectors of a point by vector name; "" is the unnamed vector.
type Vectors map[string][]float32

// Point is what a client stores: an id, vectors by name and a JSON object (nil: none).
type Point struct {
	ID      PointID
	Vectors Vectors
	Payload []byte
}

// Fetch says which parts of a point a read returns. The zero value returns ids only.
type Fetch struct {
	Payload     bool           // the payload, cut down by Include and Exclude
	Include     []payload.Path // with Payload: only these paths
	Exclude     []payload.Path // with Payload: all but these paths
	Vectors     bool           // the vectors
	VectorNames []string       // with Vectors: only these; nil means all
	Document    bool           // FT collections: the key's document
	Expiry      bool           // FT collections: the document, but only while some key of the database has an expiry
}

// Hit is one point of a result.
type Hit struct {
	ID       PointID
	Version  uint64  // the collection's operation number that last touched the point
	Distance float32 // Cosine and Dot: minus the dot product; Euclid: squared L2; Manhattan: L1
	Payload  []byte  // raw JSON; nil when absent or not asked for
	Vectors  Vectors

	Key      []byte   // FT collections: the key
	Document Document // FT collections, with Fetch.Document or Fetch.Expiry; its Kind is 0 where it was not read
	Gone     bool     // FT collections: the key, or the document that was to be read, is not there
}

// NumID returns the id of a number.
func NumID(n uint64) PointID { return payload.NumID(n) }

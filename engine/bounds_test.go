package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSchemasAtTheBounds uses every schema that validate accepts at its least and its largest:
// a creation that the log holds and no index can follow would keep the database from opening.
func TestSchemasAtTheBounds(t *testing.T) {
	schemas := map[string]VectorParams{
		"least M":       {Size: 3, Distance: Dot, M: 1, EfConstruct: 1},
		"largest M":     {Size: 3, Distance: Dot, M: maxM, EfConstruct: maxEf},
		"one component": {Size: 1, Distance: Euclid},
	}
	for d := Cosine; d <= Manhattan; d++ {
		schemas[fmt.Sprintf("largest vectors %d", d)] = VectorParams{Size: maxVectorSize, Distance: d}
	}
	for name, params := range schemas {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, params.validate())
			d := newDisk()
			db, err := d.open()
			require.NoError(t, err)
			require.NoError(t, db.CreateCollection(t.Context(), "c", Schema{Vectors: map[string]VectorParams{"": params}, IndexFromBytes: 1}))
			c, err := db.Collection("c")
			require.NoError(t, err)
			const rows = 20 // more than one part of a segment
			var points []Point
			for i := range uint64(rows) {
				v := make([]float32, params.Size)
				for j := range v {
					v[j] = float32((uint64(j)*7+i*i*13)%29) - 14
				}
				points = append(points, Point{ID: NumID(i), Vectors: Vectors{"": v}})
			}
			_, err = c.Upsert(t.Context(), points, UpsertOptions{})
			require.NoError(t, err)
			db.work(t.Context())
			require.NoError(t, db.Failed())
			require.Equal(t, rows, c.Info().Vectors[""].Indexed, "there is a graph")
			require.NoError(t, db.Close())

			db, err = d.open()
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			c, err = db.Collection("c")
			require.NoError(t, err)
			res, err := c.Search(t.Context(), SearchRequest{Query: append([]float32(nil), points[7].Vectors[""]...), K: rows})
			require.NoError(t, err)
			require.Len(t, res.Hits, rows)
		})
	}
}

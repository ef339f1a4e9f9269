package dataset

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadFvecs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.fvecs")
	row := append([]byte{2, 0, 0, 0}, Blob([]float32{1.5, -2})...)
	require.NoError(t, os.WriteFile(name, append(row, row...), 0o600))
	rows, err := ReadFvecs(name, 0)
	require.NoError(t, err)
	require.Equal(t, &Rows{Dim: 2, Data: []float32{1.5, -2, 1.5, -2}}, rows)
	rows, err = ReadFvecs(name, 1)
	require.NoError(t, err)
	require.Equal(t, 1, rows.Len())

	require.NoError(t, os.WriteFile(name, row[:7], 0o600))
	_, err = ReadFvecs(name, 0)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(name, []byte{0, 0, 0, 255}, 0o600))
	_, err = ReadFvecs(name, 0)
	require.Error(t, err)
}

func TestUpsertBody(t *testing.T) {
	rows := &Rows{Dim: 2, Data: []float32{0.1, 1e-9, 3e8, math.SmallestNonzeroFloat32}}
	var body struct {
		Points []struct {
			ID      int
			Vector  []float32
			Payload struct{ N int }
		}
	}
	require.NoError(t, json.Unmarshal(UpsertBody(rows, 7, func(row int) []byte { return fmt.Appendf(nil, `{"n":%d}`, row) }), &body))
	require.Len(t, body.Points, 2)
	require.Equal(t, 8, body.Points[1].ID)
	require.Equal(t, 8, body.Points[1].Payload.N)
	require.Equal(t, rows.Row(0), body.Points[0].Vector)
	require.Equal(t, rows.Row(1), body.Points[1].Vector)
}

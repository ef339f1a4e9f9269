package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/dataset"
)

var update = flag.Bool("update", false, "rewrite testdata")

// Programs read reports: a field that goes or changes its name raises reportFormat.
func TestReportKeepsItsShape(t *testing.T) {
	m := &Mode{
		Name: "search", Seconds: 1.5, Steal: 0.01, Notes: []string{"a note"}, out: &bytes.Buffer{},
		Before: Conditions{LoadAverage: "0.1", Pressure: map[string]string{"cpu": "some"}}, After: Conditions{Pressure: map[string]string{}},
	}
	m.curve("curve", curve{{Ef: 10, Recall: 0.5, QPS: 100, Latency: Latency{P50: time.Microsecond}, Counters: Counters{Distances: 7}}})
	m.table("gaps", "what", "value").add("nothing", nil)
	m.Tables[1].add("no number", math.NaN())
	r := Report{
		Format: reportFormat, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Modes: []*Mode{m}, Machine: Machine{CPU: "a CPU", Args: []string{"isobath"}},
		Set: SetInfo{Name: "synthetic", Metric: "cosine", Rows: 1, Dim: 2, Queries: 3, Key: "key"}, Config: Config{Set: dataset.Options{Name: "synthetic"}},
	}
	got, err := json.MarshalIndent(r, "", " ")
	require.NoError(t, err)
	got = append(got, '\n')
	const name = "testdata/report.json"
	if *update {
		require.NoError(t, os.WriteFile(name, got, 0o600))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestTableText(t *testing.T) {
	var out bytes.Buffer
	m := &Mode{out: &out}
	x := m.table("a table", "ef", "recall", "queries_per_s", "plan")
	x.add(10, 0.98765, 12345.6, "walk")
	x.add(200, 1.0, nil, "scan")
	m.print(x)
	require.Equal(t, `
a table
  ef   recall  queries_per_s  plan
  10   0.9877  12346          walk
  200  1.0000  -              scan

`, out.String())
	require.Panics(t, func() { x.add(1) })
}

func TestConfigIsChecked(t *testing.T) {
	_, err := Config{K: 101, Efs: []int{5, 5}, Recalls: []float64{1}, Rounds: -1, Clients: []int{0}}.withDefaults()
	for _, text := range []string{"k 101", "do not ascend", "recall 1", "rounds -1", "0 clients"} {
		require.ErrorContains(t, err, text)
	}
	c, err := Config{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, 10, c.K)
	require.NotEmpty(t, c.Program)
}

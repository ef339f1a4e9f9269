package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchReport is what a test looks at of a report.
type benchReport struct {
	Format  int
	Machine struct {
		Cores int
		Args  []string
	}
	Set   struct{ Rows, Dim int }
	Modes []struct {
		Name   string
		Notes  []string
		Tables []struct {
			Title string
			Rows  []map[string]any
		}
	}
}

// runBench runs modes on little data; servers are this test binary.
func runBench(t *testing.T, args ...string) (benchReport, string) {
	t.Helper()
	t.Setenv(asProgram, "1")
	name := filepath.Join(t.TempDir(), "report.json")
	var out, progress bytes.Buffer
	c := newRoot()
	c.SetOut(&out)
	c.SetErr(&progress)
	c.SetArgs(append([]string{"bench", "--rows", "1500", "--queries", "60", "--dim", "32", "--clusters", "20", "--efs", "10,40", "--ef", "40",
		"--rounds", "1", "--warmup", "20", "--hnswlib", "off", "--cache", t.TempDir(), "--batch", "100", "--json", name}, args...))
	require.NoError(t, c.Execute(), "%s%s", &out, &progress)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var r benchReport
	require.NoError(t, json.Unmarshal(text, &r))
	require.Equal(t, 1, r.Format)
	require.Positive(t, r.Machine.Cores)
	return r, out.String()
}

// rows returns the rows of the one table whose title begins so.
func (r benchReport) rows(t *testing.T, mode int, title string) []map[string]any {
	t.Helper()
	for _, x := range r.Modes[mode].Tables {
		if strings.HasPrefix(x.Title, title) {
			require.NotEmpty(t, x.Rows)
			return x.Rows
		}
	}
	require.FailNow(t, "no such table", "%s among %+v", title, r.Modes[mode].Tables)
	return nil
}

// 3 600 rows of 768 floats are enough for a graph.
func TestBenchSearch(t *testing.T) {
	r, out := runBench(t, "search", "--rows", "3600", "--dim", "768")
	require.Contains(t, out, "queries_per_cpu_s")
	curve := r.rows(t, 0, "isobath in process, one core")
	require.Len(t, curve, 2)
	low, high := curve[0], curve[1]
	require.Greater(t, high["recall"], 0.8)
	require.GreaterOrEqual(t, high["recall"], low["recall"])
	require.Greater(t, high["distances"], low["distances"])
	require.Greater(t, low["rows_read"], 0.0)
	require.Contains(t, strings.Join(r.Modes[0].Notes, "\n"), "hnswlib was not asked for")
}

func TestBenchLimit(t *testing.T) {
	r, out := runBench(t, "limit", "--rows", "3600", "--dim", "768")
	require.Contains(t, out, "used by others")
	shares := r.rows(t, 0, "distances alone over whole searches")
	require.Len(t, shares, 2)
	for _, row := range shares {
		require.Greater(t, row["distances"], 100.0)
		require.Greater(t, row["codes_share"], 0.0)
		require.Greater(t, row["with_rows_share"], 0.0)
	}
}

func TestBenchProtocols(t *testing.T) {
	r, _ := runBench(t, "http", "resp", "--clients", "1,3", "--rows", "3600", "--dim", "768",
		"--collection-config", `{"vectors":{"on_disk":true},"on_disk_payload":true}`)
	for mode, name := range []string{"http", "resp"} {
		require.Equal(t, name, r.Modes[mode].Name)
		for _, clients := range []string{"1", "3"} {
			curve := r.rows(t, mode, name+", "+clients+" in flight")
			require.Len(t, curve, 2)
			require.Greater(t, curve[1]["recall"], 0.8)
			require.Greater(t, curve[0]["hops"], 0.0, "a walk")
			require.Greater(t, curve[1]["distances"], curve[0]["distances"])
			require.Greater(t, curve[0]["rows_read"], 0.0)
		}
		require.Greater(t, r.rows(t, mode, "what the server adds")[0]["in_process_p50_us"], 0.0)
	}
}

func TestBenchIngest(t *testing.T) {
	r, _ := runBench(t, "ingest-http", "ingest-resp", "empty", "--pause", "100ms", "--probe-rate", "100")
	for mode := range 2 {
		load := r.rows(t, mode, "load over")[0]
		require.Equal(t, 1500.0, load["rows"])
		require.Equal(t, 15.0, load["fresh_rows_asked"])
		require.Equal(t, "idle", r.rows(t, mode, "queries meanwhile")[3]["while"])
		require.Len(t, r.rows(t, mode, "memory and disk"), 2)
	}
	require.Len(t, r.rows(t, 2, "1000 empty collections"), 3)
}

func TestBenchFiltered(t *testing.T) {
	r, _ := runBench(t, "filtered")
	rows := r.rows(t, 0, "filters")
	require.Len(t, rows, 3*5)
	for _, row := range rows {
		require.Equal(t, 1.0, row["recall"], "%v", row)
		require.Equal(t, 0.0, row["too_short"], "%v", row)
	}
	require.InDelta(t, 0.5, rows[1]["passes_share"], 0.01)
}

// Filters over fields that nobody loaded would be evaluated on every point of every query.
func TestBenchFilteredWantsItsPayload(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	runBench(t, "search", "--dir", dir)
	c := newRoot()
	c.SetOut(io.Discard)
	c.SetErr(io.Discard)
	c.SetArgs([]string{"bench", "filtered", "--dir", dir, "--rows", "1500", "--queries", "60", "--dim", "32", "--clusters", "20", "--cache", t.TempDir()})
	require.ErrorContains(t, c.Execute(), "without payload")
}

func TestBenchChurn(t *testing.T) {
	r, _ := runBench(t, "churn")
	rows := r.rows(t, 0, "1000 points, 50 replaced a round")
	require.Len(t, rows, 11)
	for _, row := range rows {
		require.Equal(t, 1.0, row["recall"], "%v", row)
	}
}

func TestBenchRestartsAndMemory(t *testing.T) {
	r, _ := runBench(t, "restart", "memory", "--queries", "140", "--memory-limit", "1GB")
	rows := r.rows(t, 0, "start on cold files")
	require.Len(t, rows, 3)
	for _, row := range rows {
		require.Greater(t, row["first_answer_ms"], 0.0)
	}
	if len(r.Modes[1].Tables) == 0 {
		require.Contains(t, strings.Join(r.Modes[1].Notes, "\n"), "control group")
		return
	}
	rows = r.rows(t, 1, "0 MB of rows in a group of")
	require.Len(t, rows, 2)
	require.Greater(t, rows[0]["rows_read"], 0.0)
}

func TestBenchBuild(t *testing.T) {
	r, _ := runBench(t, "build")
	require.Greater(t, r.rows(t, 0, "graph builds")[0]["isobath_rows_per_cpu_s"], 0.0)
	require.Nil(t, r.rows(t, 0, "graph builds")[0]["cpu_ratio"])
}

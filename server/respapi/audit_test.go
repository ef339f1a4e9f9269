package respapi

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
)

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// Row 2: a length within the cap reserves nothing; memory grows with what arrives, until the deadline.
func TestAnnouncedLengthsReserveNothing(t *testing.T) {
	f := start(t, Options{commandTime: 500 * time.Millisecond})
	before := heap()
	var conns []*raw
	for range 50 { // 3.2 GB announced
		r := f.raw()
		_, err := io.WriteString(r.nc, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108864\r\nabc")
		require.NoError(t, err)
		conns = append(conns, r)
	}
	require.Eventually(t, func() bool { return len(f.srv.clients()) == 50 }, 5*time.Second, time.Millisecond)
	require.Less(t, heap(), before+64<<20)
	for _, r := range conns {
		require.Empty(t, r.closed())
	}
	require.Equal(t, "_|", func() string { r := f.raw(); r.do("hello 3"); return r.do("get k") }())
}

// Row 14: numbers out of proportion get an error or a short answer.
func TestNumbersAskedForAllocateNothing(t *testing.T) {
	f := start(t, Options{})
	rdb := f.client()
	movies(t, rdb)
	nearest := func(words string) []any {
		return []any{"FT.SEARCH", "idx", "*=>[KNN " + words + "]", "PARAMS", "2", "q", blob(0, 0), "NOCONTENT"}
	}
	before := heap()
	for want, all := range map[string][][]any{
		"Syntax error at offset 8 near 0":  {nearest("0 @v $q")},
		"Syntax error at offset 8 near -1": {nearest("-1 @v $q")},
		"KNN K parameter is too large":     {nearest("1000000000 @v $q"), nearest("99999999999999999999 @v $q")},
		"Invalid value was given (Error parsing vector similarity parameters)": {
			nearest("1 @v $q EF_RUNTIME 0"), nearest("1 @v $q EF_RUNTIME -1"), nearest("1 @v $q EF_RUNTIME 1000000000")},
		"LIMIT needs two numeric arguments":                                 {{"FT.SEARCH", "idx", "*", "LIMIT", "9223372036854775808", "5"}, {"FT.SEARCH", "idx", "*", "LIMIT", "0", "-1"}},
		"Bad arguments for PARAMS: Expected an argument, but none provided": {{"FT.SEARCH", "idx", "*", "PARAMS", "1000000000", "x"}},
		"Bad arguments for RETURN: Value is outside acceptable bounds":      {{"FT.SEARCH", "idx", "*", "RETURN", "9223372036854775807", "x"}},
		"ERR string exceeds maximum allowed size (proto-max-bulk-len)":      {{"SETRANGE", "s", "67108864", "x"}, {"SETRANGE", "s", "9223372036854775807", "x"}},
		"ERR value is out of range":                                         {{"HRANDFIELD", "doc:1", "-9223372036854775808"}},
	} {
		for _, args := range all {
			refused(t, rdb, want, args...)
		}
	}
	require.Len(t, search(t, rdb, append(nearest("10000 @v $q")[1:], "LIMIT", "0", "1000000")...).ids, 12)
	require.Empty(t, search(t, rdb, "idx", "*", "LIMIT", "999999999", "5").ids)
	require.Len(t, run(t, rdb, "HRANDFIELD", "doc:1", "1000000000"), 4)
	require.Less(t, heap(), before+32<<20)
}

// Row 11: query vectors are refused with the component, stored ones are left out, counted and named.
func TestComponentsThatAreNoNumbers(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		inf, nan := float32(math.Inf(-1)), float32(math.NaN())
		for component, v := range []string{blob(nan, 0), blob(0, inf)} {
			refused(t, rdb, fmt.Sprintf("vector component [%d] is not a finite number", component), "FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "PARAMS", "2", "q", v)
		}
		for i, v := range []string{blob(nan, 0), blob(0, inf), "1234567", "", blob(1, 2, 3), "123456789"} {
			key := fmt.Sprintf("doc:bad%d", i)
			require.Equal(t, int64(2), run(t, rdb, "HSET", key, "vec", v, "genre", "bad"))
			require.Equal(t, v, run(t, rdb, "HGET", key, "vec"))
			info := ftInfoOf(t, rdb, "idx")
			require.EqualValues(t, i+1, info["hash_indexing_failures"])
			errs := asMap(t, info["Index Errors"])
			require.Equal(t, key, errs["last indexing error key"])
			require.NotEqual(t, "N/A", errs["last indexing error"])
			for _, field := range info["field statistics"].([]any) {
				if m := asMap(t, field); m["attribute"] == "v" {
					require.EqualValues(t, i+1, asMap(t, m["Index Errors"])["indexing failures"])
				}
			}
		}
		require.Equal(t, int64(6), search(t, rdb, "idx", "@genre:{bad}", "COUNT").total)
		require.Equal(t, int64(12), search(t, rdb, "idx", "*=>[KNN 100 @v $q]", "PARAMS", "2", "q", blob(0, 0), "LIMIT", "0", "0").total)
		require.Empty(t, search(t, rdb, "idx", "@genre:{bad}=>[KNN 100 @v $q]", "PARAMS", "2", "q", blob(0, 0)).ids)
		run(t, rdb, "HSET", "doc:bad0", "vec", blob(0, 0)) // mended
		require.Equal(t, []string{"doc:bad0"}, search(t, rdb, "idx", "@genre:{bad}=>[KNN 100 @v $q]", "PARAMS", "2", "q", blob(0, 0), "NOCONTENT").ids)
	})
}

// Row 13: a vector of zeros under COSINE has distance 1 from everything.
func TestZeroVectorUnderCosine(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		run(t, rdb, "FT.CREATE", "c", "SCHEMA", "v", "VECTOR", "HNSW", "6", "TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", "COSINE")
		run(t, rdb, "HSET", "z", "v", blob(0, 0))
		run(t, rdb, "HSET", "a", "v", blob(3, 0))
		got := search(t, rdb, "c", "*=>[KNN 2 @v $q AS d]", "PARAMS", "2", "q", blob(2, 0), "RETURN", "1", "d")
		require.Equal(t, []string{"a", "z"}, got.ids)
		require.Equal(t, []map[string]string{{"d": "0"}, {"d": "1"}}, got.rows)
	})
}

// Row 15: depth, conditions and length of a query.
func TestQueriesOutOfProportion(t *testing.T) {
	f := start(t, Options{})
	rdb := f.client()
	movies(t, rdb)
	for name, query := range map[string]string{
		"groups":     strings.Repeat("(", 1001) + "@genre:{drama}" + strings.Repeat(")", 1001),
		"negations":  strings.Repeat("-", 100_000) + "@genre:{drama}",
		"conditions": strings.Repeat("@genre:{drama} ", 10_001),
		"unions":     strings.Repeat("@year:[1 2]|", 10_001) + "@year:[1 2]",
		"length":     "@genre:{" + strings.Repeat("x", 256<<10) + "}",
	} {
		t.Run(name, func(t *testing.T) { refused(t, rdb, "Query string is too complex", "FT.SEARCH", "idx", query) })
	}
	var tags []string
	for i := range 9000 {
		tags = append(tags, fmt.Sprint("t", i))
	}
	require.Equal(t, docs(0, 3, 6, 9), search(t, rdb, "idx", "@genre:{"+strings.Join(tags, "|")+"|horror}", "NOCONTENT").ids)
	run(t, rdb, "SET", strings.Repeat("a", 30_000), "x")
	began := time.Now()
	for _, pattern := range []string{strings.Repeat("*a", 14_000) + "b", strings.Repeat("*[a-z]", 5000) + "b", strings.Repeat("*?", 14_000) + "b"} {
		require.Empty(t, run(t, rdb, "KEYS", pattern))
	}
	require.Less(t, time.Since(began), 10*time.Second)
}

// Row 16: names are names; none of them reaches the file system.
func TestNamesLikePaths(t *testing.T) {
	f := start(t, Options{})
	rdb := f.client()
	for _, name := range []string{"../x", "/etc/x", "a\x00b", ".", "", "{x}", strings.Repeat("x", 300), "аdmin", "\xff\xfe"} {
		require.Equal(t, "OK", run(t, rdb, "FT.CREATE", name, "PREFIX", "1", name+":", "SCHEMA", "g", "TAG"), "%q", name)
		run(t, rdb, "HSET", name+":1", "g", "x")
		require.Equal(t, []string{name + ":1"}, search(t, rdb, name, "@g:{x}", "NOCONTENT").ids)
		run(t, rdb, "FT.ALIASADD", name+"-alias", name)
		require.Equal(t, name, ftInfoOf(t, rdb, name+"-alias")["index_name"])
		require.Equal(t, "OK", run(t, rdb, "FT.DROPINDEX", name, "DD"))
	}
	require.Zero(t, rdb.DBSize(ctx).Val())
	refused(t, rdb, fmt.Sprintf("Index definition of %d bytes exceeds the maximum of 1048576", 9+1<<20+len("SCHEMAgTAG")), "FT.CREATE", strings.Repeat("x", 1<<20), "SCHEMA", "g", "TAG")
	run(t, rdb, "FT.CREATE", "i", "SCHEMA", "g", "TAG")
	refused(t, rdb, "Alias of 40000 bytes exceeds the maximum of 32768", "FT.ALIASADD", strings.Repeat("x", 40_000), "i")
}

// Row 22: every command asks for the password first, and the read-only key writes nothing.
func TestRightsOfEveryCommand(t *testing.T) {
	f := start(t, Options{Auth: passwords{"secret", "look"}})
	r := f.raw()
	reader := f.raw()
	require.Equal(t, "+OK|", reader.do("auth look"))
	free := map[string]bool{"auth": true, "hello": true, "ping": true, "quit": true, "reset": true}
	for _, cmd := range f.srv.table.sorted {
		all := []*command{cmd}
		for i := range cmd.subs {
			all = append(all, &cmd.subs[i])
		}
		for _, cmd := range all {
			words := strings.Split(cmd.name, "|")
			for n := max(cmd.arity, -cmd.arity) - len(words); n > 0; n-- {
				words = append(words, "1")
			}
			line := strings.Join(words, " ")
			if len(words) <= 10 && !free[cmd.name] {
				require.Equal(t, "-NOAUTH Authentication required.|", r.do(line), line)
			}
			if cmd.flags&flagWrite != 0 && len(cmd.subs) == 0 {
				require.Contains(t, reader.do(line), "-NOPERM User default has no permissions to run the '"+cmd.name+"' command", line)
			}
		}
	}
}

// The texts of resp.md 10 that need a state of the server rather than an argument.
func TestBackfillIsTold(t *testing.T) {
	f := start(t, Options{Config: map[string]string{"search.create-wait-ms": "0"}})
	rdb := f.client()
	for from := 0; from < 20_000; from += 1000 {
		pipe := rdb.TxPipeline()
		for i := range 1000 {
			pipe.HSet(ctx, fmt.Sprintf("k%d", from+i), "n", i, "g", "x")
		}
		_, err := pipe.Exec(ctx)
		require.NoError(t, err)
	}
	seen := false
	for i := 0; i < 20 && !seen; i++ {
		name := fmt.Sprint("i", i)
		run(t, rdb, "FT.CREATE", name, "SCHEMA", "n", "NUMERIC", "g", "TAG")
		if err := rdb.Do(ctx, "FT.SEARCH", name, "*", "NOCONTENT").Err(); err != nil {
			require.Regexp(t, "^Index `"+name+"` is being backfilled \\(\\d+%\\); queries are rejected until it completes$", err.Error())
			seen = true
			run(t, rdb, "CONFIG", "SET", "search.query-during-backfill", "wait")
			require.Equal(t, int64(20_000), search(t, rdb, name, "*", "COUNT").total)
		}
	}
	require.True(t, seen, "no search met a backfill")
	run(t, rdb, "CONFIG", "SET", "search.query-during-backfill", "partial")
	run(t, rdb, "FT.CREATE", "partial", "SCHEMA", "n", "NUMERIC")
	require.LessOrEqual(t, search(t, rdb, "partial", "*", "COUNT").total, int64(20_000))
}

func TestQueryMemoryIsBounded(t *testing.T) {
	f := start(t, Options{queryBytes: 4096})
	rdb := f.client()
	movies(t, rdb)
	run(t, rdb, "HSET", "doc:1", "title", strings.Repeat("x", 8192))
	refused(t, rdb, "OOM query exceeds the memory budget", "FT.SEARCH", "idx", "*")
	refused(t, rdb, "OOM query exceeds the memory budget", "FT.SEARCH", "idx", "*=>[KNN 5 @v $q]", "PARAMS", "2", "q", blob(0, 0))
	require.Equal(t, int64(12), search(t, rdb, "idx", "*", "COUNT").total)
}

// A database that takes no writes says so and goes on reading. Here the log is damaged in its middle.
func TestReadOnlyDatabaseIsTold(t *testing.T) {
	before := start(t, Options{})
	movies(t, before.client())
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(before.dir)))
	logs, err := filepath.Glob(filepath.Join(dir, "wal", "*.log"))
	require.NoError(t, err)
	raw, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	at := bytes.Index(raw, []byte("doc:7"))
	require.Positive(t, at)
	raw[at] ^= 1
	require.NoError(t, os.WriteFile(logs[0], raw, 0o600))

	db, err := engine.Open(dir, engine.Options{})
	require.NoError(t, err)
	require.Error(t, db.Failed())
	space := keyspace.New(db, keyspace.Options{})
	t.Cleanup(func() { space.Close(); _ = db.Close() })
	rdb := serve(t, Options{Keys: space}).client()
	for _, args := range [][]any{{"SET", "k", "v"}, {"HSET", "doc:1", "genre", "x"}, {"FT.CREATE", "j", "SCHEMA", "n", "NUMERIC"}, {"FT.DROPINDEX", "idx"}, {"FLUSHALL"}} {
		require.ErrorContains(t, rdb.Do(ctx, args...).Err(), "MISCONF Errors writing to disk: ", "%v", args)
	}
	_, err = rdb.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "k", "v", 0).Err() })
	require.ErrorContains(t, err, "MISCONF")
	require.Equal(t, "horror", rdb.HGet(ctx, "doc:0", "genre").Val())
	require.Equal(t, docs(0), search(t, rdb, "idx", "@year:[2010 2010]", "NOCONTENT").ids)
	require.ErrorIs(t, rdb.Get(ctx, "k").Err(), redis.Nil)
}

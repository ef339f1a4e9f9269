package respapi

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

func TestFTInfo(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		info := ftInfoOf(t, rdb, "idx")
		require.Equal(t, "idx", info["index_name"])
		require.EqualValues(t, 12, info["num_docs"])
		def := asMap(t, info["index_definition"])
		require.Equal(t, "HASH", def["key_type"])
		require.Equal(t, []any{"doc:"}, def["prefixes"])
		require.Equal(t, "Completed", info["backfill_status"])
		require.Equal(t, "ready", info["state"])
		require.EqualValues(t, 0, info["indexing"])
		attributes := info["attributes"].([]any)
		require.Len(t, attributes, 4)
		if flat, ok := attributes[0].([]any); ok {
			require.Equal(t, []any{"identifier", "vec", "attribute", "v", "type", "VECTOR", "algorithm", "HNSW", "data_type", "FLOAT32",
				"dim", int64(2), "distance_metric", "L2", "M", int64(16), "ef_construction", int64(200), "ef_runtime", int64(10), "index"}, flat[:21])
			require.Equal(t, []any{"identifier", "genre", "attribute", "genre", "type", "TAG", "SEPARATOR", ";"}, attributes[1])
			require.Equal(t, []any{"identifier", "year", "attribute", "year", "type", "NUMERIC", "SORTABLE"}, attributes[2])
		} else {
			require.Equal(t, []any{"SORTABLE"}, asMap(t, attributes[2])["flags"])
		}
		run(t, rdb, "FT.CREATE", "all", "NOFREQS", "SCORE", "1.0", "STOPWORDS", "1", "the", "SCHEMA", "x", "TAG")
		info = ftInfoOf(t, rdb, "all")
		require.Equal(t, []any{""}, asMap(t, info["index_definition"])["prefixes"])
		require.Equal(t, []any{"NOFREQS"}, info["index_options"])
		require.Equal(t, []any{"the"}, info["stopwords_list"])
		refused(t, rdb, "Unknown index name", "FT.INFO", "nosuch")
	})
}

func TestFTInfoIsReadByTheClientLibrary(t *testing.T) {
	f := start(t, Options{})
	rdb := redis.NewClient(&redis.Options{Addr: f.addr, Protocol: 2})
	defer rdb.Close()
	movies(t, rdb)
	info, err := rdb.FTInfo(ctx, "idx").Result()
	require.NoError(t, err)
	require.Equal(t, "idx", info.IndexName)
	require.Equal(t, 12, info.NumDocs)
	require.Equal(t, "HASH", info.IndexDefinition.KeyType)
	require.Equal(t, []string{"doc:"}, info.IndexDefinition.Prefixes)
	require.Len(t, info.Attributes, 4)
	res, err := rdb.FTSearchWithArgs(ctx, "idx", "@genre:{horror}=>[KNN 2 @v $q AS d]", &redis.FTSearchOptions{
		Params: map[string]any{"q": blob(3, 0)}, DialectVersion: 2, WithScores: true,
		Return: []redis.FTSearchReturn{{FieldName: "d"}, {FieldName: "year"}},
	}).Result()
	require.NoError(t, err)
	require.Equal(t, 2, res.Total)
	require.Equal(t, "doc:3", res.Docs[0].ID)
	require.Equal(t, map[string]string{"d": "0", "year": "2013"}, res.Docs[0].Fields)
}

func TestFTCreateIsRefused(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		vector := func(args string) string { return "FT.CREATE x SCHEMA v VECTOR " + args }
		long := make([]string, 129)
		for i := range long {
			long[i] = "p"
		}
		for _, tc := range []struct{ cmd, want string }{
			{"FT.CREATE idx SCHEMA a TAG", "Index already exists"},
			{"FT.CREATE x", "No schema found"},
			{"FT.CREATE x ON HASH", "No schema found"},
			{"FT.CREATE x SCHEMA", "Fields arguments are missing"},
			{"FT.CREATE x FOO SCHEMA a TAG", "Unknown argument `FOO`"},
			{"FT.CREATE x SCHEMA a FOO", "Invalid field type for field `a`"},
			{"FT.CREATE x SCHEMA a", "Invalid field type for field `a`"},
			{"FT.CREATE x SCHEMA a GEO", "Unsupported field type"},
			{"FT.CREATE x SCHEMA a TAG a NUMERIC", "Duplicate field in schema - a"},
			{"FT.CREATE x SCHEMA a AS b TAG c AS b NUMERIC", "Duplicate field in schema - b"},
			{"FT.CREATE x SCHEMA a TAG SEPARATOR ab", "Tag separator must be a single character. Got `ab`"},
			{"FT.CREATE x PREFIX 2 a SCHEMA", "Fields arguments are missing"},
			{"FT.CREATE x PREFIX z a SCHEMA", "Bad arguments for PREFIX: Could not convert argument to expected type"},
			{"FT.CREATE x PREFIX 129 " + strings.Join(long, " ") + " SCHEMA a TAG", "Number of prefixes (129) exceeds the maximum of 128"},
			{vector("FOO 6"), "Bad arguments for vector similarity algorithm"},
			{vector("SVS-VAMANA 6"), "Bad arguments for vector similarity algorithm"},
			{vector("HNSW 5 TYPE FLOAT32 DIM 2 X"), "Bad number of arguments for vector similarity index: got 5 but expected even number"},
			{vector("HNSW 6 TYPE FLOAT32 DIM 2"), "Expected 6 parameters but got 4"},
			{vector("HNSW 4 TYPE FLOAT32 DISTANCE_METRIC L2"), "Missing mandatory parameter: cannot create HNSW index without specifying DIM argument"},
			{vector("FLAT 4 DIM 2 DISTANCE_METRIC L2"), "Missing mandatory parameter: cannot create FLAT index without specifying TYPE argument"},
			{vector("HNSW 4 DIM 2 TYPE FLOAT32"), "Missing mandatory parameter: cannot create HNSW index without specifying DISTANCE_METRIC argument"},
			{vector("HNSW 6 TYPE FLOAT99 DIM 2 DISTANCE_METRIC L2"), "Bad arguments for vector similarity HNSW index `TYPE`"},
			{vector("HNSW 6 TYPE FLOAT32 DIM 0 DISTANCE_METRIC L2"), "Bad arguments for vector similarity HNSW index `DIM`"},
			{vector("HNSW 6 TYPE FLOAT32 DIM 32769 DISTANCE_METRIC L2"), "Bad arguments for vector similarity HNSW index `DIM`"},
			{vector("HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L3"), "Bad arguments for vector similarity HNSW index `DISTANCE_METRIC`"},
			{vector("HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 M 1"), "Bad arguments for vector similarity HNSW index `M`"},
			{vector("HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 M 513"), "Bad arguments for vector similarity HNSW index `M`"},
			{vector("HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 EF_CONSTRUCTION 0"), "Bad arguments for vector similarity HNSW index `EF_CONSTRUCTION`"},
			{vector("HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 EF_RUNTIME 4097"), "Bad arguments for vector similarity HNSW index `EF_RUNTIME`"},
			{vector("HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 EPSILON 0"), "Bad arguments for vector similarity HNSW index `EPSILON`"},
			{vector("HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 INITIAL_CAP -1"), "Bad arguments for vector similarity HNSW index `INITIAL_CAP`"},
			{vector("FLAT 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 M 16"), "Bad arguments for algorithm FLAT: M"},
			{"FT.SEARCH nosuch *", "nosuch: no such index"},
			{"FT.DROPINDEX nosuch", "Unknown index name"},
			{"FT.TAGVALS nosuch f", "Unknown index name"},
			{"FT.TAGVALS idx f", "No such field"},
			{"FT.TAGVALS idx year", "Not a tag field"},
		} {
			if tc.cmd == "FT.CREATE x PREFIX 2 a SCHEMA" {
				tc.want = "No schema found" // the second prefix is SCHEMA
			}
			refused(t, rdb, tc.want, args(tc.cmd)...)
		}
		require.Equal(t, []any{"idx"}, run(t, rdb, "FT._LIST"))
		run(t, rdb, "FT.CREATE", "big", "SCHEMA", "v", "VECTOR", "HNSW", "8", "TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", "cosine", "INITIAL_CAP", "99999999999999999999")
	})
}

func TestFTSearchIsRefused(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		for _, tc := range []struct {
			want string
			args []any
		}{
			{"Syntax error at offset 0 near hello", []any{"hello"}},
			{"Unknown field at offset 0 near nosuch", []any{"@nosuch:{a}"}},
			{"Expected a NUMERIC field at offset 0 near v", []any{"@v:[1 2]"}},
			{"Expected a TAG field at offset 0 near year", []any{"@year:{a}"}},
			{"Expected a VECTOR field at offset 11 near year", []any{"*=>[KNN 10 @year $q]"}},
			{"No such parameter `q`", []any{"*=>[KNN 10 @v $q]"}},
			{"Error parsing vector similarity query: query vector blob size (7) does not match index's expected size (8).",
				[]any{"*=>[KNN 10 @v $q]", "PARAMS", "2", "q", "1234567"}},
			{"Property `genre` already exists in schema", []any{"*=>[KNN 10 @v $q AS genre]", "PARAMS", "2", "q", blob(1, 2)}},
			{"KNN K parameter is too large", []any{"*=>[KNN 10001 @v $q]", "PARAMS", "2", "q", blob(1, 2)}},
			{"Invalid value was given (Error parsing vector similarity parameters)",
				[]any{"*=>[KNN 1 @v $q EF_RUNTIME 0]", "PARAMS", "2", "q", blob(1, 2)}},
			{"Invalid numeric range (min > max): @year:[2 1]", []any{"@year:[2 1]"}},
			{"Parameters must be specified in PARAM VALUE pairs", []any{"*", "PARAMS", "1", "q"}},
			{"Duplicate parameter `q`", []any{"*", "PARAMS", "4", "q", "1", "q", "2"}},
			{"DIALECT requires a non negative integer >=1 and <= 4", []any{"*", "DIALECT", "5"}},
			{"LIMIT exceeds maximum of 1000000", []any{"*", "LIMIT", "0", "1000001"}},
			{"The `offset` of the LIMIT must be 0 when `num` is 0", []any{"*", "LIMIT", "1", "0"}},
			{"Unknown argument `FOO` at position 1 for <main>", []any{"*", "FOO"}},
			{"Unknown argument `FOO` at position 2 for <main>", []any{"*", "NOCONTENT", "FOO"}},
			{"TIMEOUT exceeds maximum of 60000", []any{"*", "TIMEOUT", "60001"}},
			{"VECTOR_RANGE is not supported yet", []any{"@v:[VECTOR_RANGE 1 $q]"}},
		} {
			refused(t, rdb, tc.want, append([]any{"FT.SEARCH", "idx"}, tc.args...)...)
		}
		nan := "\x00\x00\xc0\x7f\x00\x00\x00\x00"
		_, err := rdb.Do(ctx, "FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "PARAMS", "2", "q", nan).Result()
		require.Error(t, err)
		// every clause that has no effect is accepted
		search(t, rdb, "idx", "*", "VERBATIM", "NOSTOPWORDS", "INFIELDS", "1", "title", "SLOP", "1", "INORDER", "LANGUAGE", "english", "EXPANDER", "x",
			"SCORER", "BM25", "PAYLOAD", "p", "LOCALONLY", "ALLSHARDS", "CONSISTENT", "TIMEOUT", "0", "FORMAT", "STRING", "DIALECT", "3", "NOCONTENT")
	})
}

func TestFTAliases(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		run(t, rdb, "FT.CREATE", "two", "PREFIX", "1", "two:", "SCHEMA", "n", "NUMERIC")
		refused(t, rdb, "Unknown index name (or name is an alias itself)", "FT.ALIASADD", "a", "nosuch")
		refused(t, rdb, "Alias conflicts with an existing index name", "FT.ALIASADD", "two", "idx")
		refused(t, rdb, "Alias does not exist", "FT.ALIASDEL", "a")
		run(t, rdb, "FT.ALIASADD", "a", "idx")
		refused(t, rdb, "Alias already exists", "FT.ALIASADD", "a", "two")
		refused(t, rdb, "Unknown index name (or name is an alias itself)", "FT.ALIASADD", "b", "a")
		require.Equal(t, int64(12), search(t, rdb, "a", "*", "COUNT").total)
		require.Equal(t, "idx", ftInfoOf(t, rdb, "a")["index_name"])
		require.Equal(t, []any{"a"}, run(t, rdb, "FT.ALIASLIST", "idx"))
		require.Equal(t, []any{[]any{"a", "idx"}}, run(t, rdb, "FT._ALIASLIST"))
		run(t, rdb, "FT.ALIASUPDATE", "a", "two")
		require.Zero(t, search(t, rdb, "a", "*", "COUNT").total)
		run(t, rdb, "FT.DROPINDEX", "a")
		require.Equal(t, []any{"idx"}, run(t, rdb, "FT._LIST"))
		require.Empty(t, run(t, rdb, "FT._ALIASLIST"))
		run(t, rdb, "FT.CREATE", "two", "SCHEMA", "n", "NUMERIC")
		refused(t, rdb, "a: no such index", "FT.SEARCH", "a", "*")
		run(t, rdb, "FT.ALIASADD", "a", "idx")
		run(t, rdb, "FT.ALIASDEL", "a")
		refused(t, rdb, "a: no such index", "FT.SEARCH", "a", "*")
	})
}

func TestFTOtherCommands(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		uses := ftInfoOf(t, rdb, "idx")["number_of_uses"].(int64)
		search(t, rdb, "idx", "*")
		require.Equal(t, uses+1, ftInfoOf(t, rdb, "idx")["number_of_uses"])
		run(t, rdb, "HSET", "doc:long", "genre", strings.Repeat("x", 4097)+";drama")
		require.Equal(t, []string{"doc:long"}, search(t, rdb, "idx", "@genre:{drama}", "INKEYS", "1", "doc:long", "NOCONTENT").ids)
		require.EqualValues(t, 1, ftInfoOf(t, rdb, "idx")["hash_indexing_failures"])
		require.ElementsMatch(t, []any{"horror", "comedy", "drama"}, run(t, rdb, "FT.TAGVALS", "idx", "genre"))
		run(t, rdb, "DEL", "doc:long")
		text := run(t, rdb, "FT.EXPLAIN", "idx", "@genre:{a|b} -@year:[1 2]=>[KNN 3 @v $q]", "PARAMS", "2", "q", blob(0, 0)).(string)
		require.Contains(t, text, "INTERSECT {")
		require.Contains(t, text, "VECTOR {K=3")
		require.NotEmpty(t, run(t, rdb, "FT.EXPLAINCLI", "idx", "*"))
		profile := run(t, rdb, "FT.PROFILE", "idx", "SEARCH", "LIMITED", "QUERY", "@genre:{drama}=>[KNN 3 @v $q]", "PARAMS", "2", "q", blob(0, 0), "NOCONTENT")
		var how map[string]any
		if m, ok := profile.(map[any]any); ok {
			require.Equal(t, docs(1, 2, 4), asPage(t, m["Results"]).ids)
			how = asMap(t, m["Profile"])
		} else {
			require.Equal(t, docs(1, 2, 4), asPage(t, profile.([]any)[0]).ids)
			how = asMap(t, profile.([]any)[1])
		}
		require.ElementsMatch(t, []string{"Total profile time", "Parsing time", "Filter time", "Index time", "Walk time", "Rescore time", "Fetch time",
			"Plan", "Fallback to scan", "Filter matches", "Segments searched", "Candidates visited", "Hops", "Distance computations",
			"Distances of these in scans", "Candidates rescored", "Rows read", "Rows read from disk", "Bytes of codes read", "Bytes of rows read from disk", "Documents evaluated", "Warning"},
			slices.Collect(maps.Keys(how)))
		require.Equal(t, "exact scan", how["Plan"])
		require.EqualValues(t, 8, how["Filter matches"])
		for limit, plan := range map[string]string{"10": "scroll", "2": "scroll", "0": "count"} {
			profile := run(t, rdb, "FT.PROFILE", "idx", "SEARCH", "QUERY", "@genre:{drama}", "LIMIT", "0", limit)
			m, ok := profile.(map[any]any)
			if !ok {
				m = map[any]any{"Profile": profile.([]any)[1]}
			}
			how = asMap(t, m["Profile"])
			require.Equal(t, plan, how["Plan"])
			require.EqualValues(t, 8, how["Filter matches"], plan)
		}
		work := rdb.Info(ctx, "search").Val()
		for _, want := range []string{"search_plan_exact_scan:", "search_rows_read:", "search_segments:", "search_scanned:", "search_failures:0", "search_payloads_evaluated:", "search_filter_matches:", "search_rows_from_files:0", "search_index_usec:", "search_walk_usec:", "search_disk_reads:"} {
			require.Contains(t, work, want)
		}
		require.Contains(t, rdb.Info(ctx, "search").Val(), "search_num_active_queries:0")
		run(t, rdb, "FT.CONFIG", "SET", "MINPREFIX", "3")
		refused(t, rdb, "Syntax error at offset 8 near ho", "FT.SEARCH", "idx", "@genre:{ho*}")
		run(t, rdb, "FT.CONFIG", "SET", "MINPREFIX", "1")
		require.NotEmpty(t, run(t, rdb, "FT.CONFIG", "GET", "*"))
		require.Equal(t, "OK", run(t, rdb, "FT._CREATEIFNX", "idx", "SCHEMA", "a", "TAG"))
		require.Equal(t, "OK", run(t, rdb, "FT._DROPINDEXIFX", "nosuch"))
		require.Equal(t, "OK", run(t, rdb, "FT.DROP", "idx", "KEEPDOCS"))
		require.Equal(t, int64(13), run(t, rdb, "DBSIZE"))
		run(t, rdb, "SELECT", "0")
	})
}

// profileOf asks FT.PROFILE for a search and returns how it went.
func profileOf(t *testing.T, rdb *redis.Client, query, q string) map[string]any {
	t.Helper()
	profile := run(t, rdb, "FT.PROFILE", "big", "SEARCH", "QUERY", query, "PARAMS", "2", "q", q, "NOCONTENT")
	if m, ok := profile.(map[any]any); ok {
		return asMap(t, m["Profile"])
	}
	return asMap(t, profile.([]any)[1])
}

// Walks, filtered or not, and scans of codes tell what they took.
func TestFTProfileOfAWalk(t *testing.T) {
	const dim, docs = 1024, 3000 // more than is scanned
	both(t, func(t *testing.T, rdb *redis.Client) {
		run(t, rdb, "FT.CREATE", "big", "PREFIX", "1", "big:", "SCHEMA", "v", "VECTOR", "HNSW", "10", "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "L2",
			"M", "16", "EF_CONSTRUCTION", "60", "n", "NUMERIC")
		rng := rand.New(rand.NewPCG(1, 2))
		var q string
		for from := 0; from < docs; from += 500 {
			_, err := rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for i := from; i < from+500; i++ {
					v := make([]float32, dim)
					for j := range v {
						v[j] = rng.Float32()
					}
					q = blob(v...)
					pipe.HSet(ctx, fmt.Sprintf("big:%d", i), "v", q, "n", i)
				}
				return nil
			})
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool {
			how := profileOf(t, rdb, "*=>[KNN 10 @v $q]", q)
			return how["Plan"] == "walk" && how["Distances of these in scans"] == int64(0)
		}, time.Minute, 50*time.Millisecond)
		positive := func(how map[string]any, counters ...string) {
			t.Helper()
			for _, name := range counters {
				require.Positive(t, how[name], "%s: %v", name, how)
			}
		}
		how := profileOf(t, rdb, "*=>[KNN 10 @v $q]", q)
		positive(how, "Candidates visited", "Hops", "Distance computations", "Candidates rescored", "Rows read", "Bytes of codes read", "Segments searched")
		require.EqualValues(t, 0, how["Filter matches"])
		how = profileOf(t, rdb, "@n:[0 2899]=>[KNN 10 @v $q EF_RUNTIME 10]", q)
		require.Equal(t, "filtered walk", how["Plan"])
		require.EqualValues(t, 2900, how["Filter matches"])
		positive(how, "Hops", "Distance computations", "Rows read")
		how = profileOf(t, rdb, "@n:[0 99]=>[KNN 10 @v $q]", q)
		require.Equal(t, "scan of matches", how["Plan"])
		require.EqualValues(t, 100, how["Distances of these in scans"])
		require.EqualValues(t, 0, how["Hops"])
	})
}

func TestFTMissingAndEmpty(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		run(t, rdb, "FT.CREATE", "idx", "SCHEMA", "g", "TAG", "INDEXMISSING", "INDEXEMPTY", "n", "NUMERIC", "INDEXMISSING",
			"v", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", "1", "DISTANCE_METRIC", "L2", "INDEXMISSING")
		run(t, rdb, "HSET", "a", "g", "x", "n", "1", "v", blob(1))
		run(t, rdb, "HSET", "b", "g", "")
		run(t, rdb, "HSET", "c", "n", "2", "v", "short")
		for query, want := range map[string][]string{
			"ismissing(@g)": {"c"}, "ismissing(@n)": {"b"}, "ismissing(@v)": {"b", "c"}, "-ismissing(@g)": {"a", "b"},
			`@g:{""}`: {"b"}, "-@g:{x}": {"b", "c"}, "* -@n:[1 1]": {"b", "c"}, "~@g:{x}": {"a", "b", "c"}, "@n!=1": {"b", "c"},
		} {
			require.Equal(t, want, search(t, rdb, "idx", query, "NOCONTENT").ids, query)
		}
		require.Equal(t, []string{"a"}, search(t, rdb, "idx", "*=>[KNN 5 @v $q]", "PARAMS", "2", "q", blob(0), "NOCONTENT").ids)
	})
}

// Libraries compare these texts, which differ from command to command.
func TestFTUnknownIndex(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		for _, words := range []string{"FT.INFO no", "FT.DROPINDEX no", "FT.DROPINDEX no DD", "FT.TAGVALS no f", "FT.ALIASLIST no"} {
			refused(t, rdb, "Unknown index name", args(words)...)
		}
		for _, words := range []string{"FT.SEARCH no *", "FT.PROFILE no SEARCH QUERY *", "FT.EXPLAIN no *", "FT.EXPLAINCLI no *"} {
			refused(t, rdb, "no: no such index", args(words)...)
		}
		for _, words := range []string{"FT.AGGREGATE no *", "FT.HYBRID no", "FT.ALTER no", "JSON.GET k", "EVAL x 0"} { // not there yet
			require.ErrorContains(t, rdb.Do(ctx, args(words)...).Err(), "ERR unknown command '", words)
		}
	})
}

// redis-py before version 6 sends an empty word where DD could be.
func TestFTDropIndexWithAnEmptyWord(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		refused(t, rdb, "Unknown argument `DDD`", "FT.DROPINDEX", "idx", "DDD")
		require.Equal(t, "OK", run(t, rdb, "FT.DROPINDEX", "idx", ""))
		require.Equal(t, int64(13), run(t, rdb, "DBSIZE"))
	})
}

func TestFTDroppedWhileSearching(t *testing.T) {
	require.EqualError(t, ftError(fmt.Errorf("search: %w", engine.ErrDropped)), "The index was dropped before the query could be executed")
}

// args are the words of a command.
func args(words string) (out []any) {
	for _, w := range strings.Fields(words) {
		out = append(out, w)
	}
	return out
}

package respapi

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func blob(v ...float32) string {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return string(b)
}

// both runs a test in both protocol versions.
func both(t *testing.T, fn func(t *testing.T, rdb *redis.Client)) {
	f := start(t, Options{})
	for _, version := range []int{2, 3} {
		t.Run("resp"+strconv.Itoa(version), func(t *testing.T) {
			rdb := redis.NewClient(&redis.Options{Addr: f.addr, Protocol: version, UnstableResp3: true})
			t.Cleanup(func() { _ = rdb.Close() })
			require.NoError(t, rdb.FlushAll(ctx).Err())
			fn(t, rdb)
		})
	}
}

// run sends a command whose words are the arguments.
func run(t testing.TB, rdb *redis.Client, args ...any) any {
	t.Helper()
	v, err := rdb.Do(ctx, args...).Result()
	require.NoError(t, err, "%v", args)
	return v
}

func refused(t testing.TB, rdb *redis.Client, want string, args ...any) {
	t.Helper()
	_, err := rdb.Do(ctx, args...).Result()
	require.EqualError(t, err, want, "%v", args)
}

// movies is an index with twelve documents: v is (i, 0), genre turns, year counts from 2010.
func movies(t testing.TB, rdb *redis.Client) {
	t.Helper()
	require.Equal(t, "OK", run(t, rdb, "FT.CREATE", "idx", "ON", "HASH", "PREFIX", "1", "doc:", "SCHEMA",
		"vec", "AS", "v", "VECTOR", "HNSW", "10", "TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", "L2", "M", "16", "EF_CONSTRUCTION", "200",
		"genre", "TAG", "SEPARATOR", ";", "year", "NUMERIC", "SORTABLE", "title", "TEXT"))
	for i := range 12 {
		genre := []string{"horror", "Comedy;Drama", "drama"}[i%3]
		run(t, rdb, "HSET", fmt.Sprintf("doc:%d", i), "vec", blob(float32(i), 0), "genre", genre, "year", 2010+i, "title", "t")
	}
	run(t, rdb, "HSET", "other:1", "genre", "horror", "year", "2000")
}

// page is a reply of FT.SEARCH in one shape for both versions.
type page struct {
	total int64
	ids   []string
	rows  []map[string]string
}

func search(t testing.TB, rdb *redis.Client, args ...any) page {
	t.Helper()
	return asPage(t, run(t, rdb, append([]any{"FT.SEARCH"}, args...)...))
}

func asPage(t testing.TB, reply any) (p page) {
	t.Helper()
	if m, ok := reply.(map[any]any); ok {
		p.total = m["total_results"].(int64)
		require.Equal(t, "STRING", m["format"])
		for _, r := range m["results"].([]any) {
			row := r.(map[any]any)
			p.ids = append(p.ids, row["id"].(string))
			fields := map[string]string{}
			if extra, ok := row["extra_attributes"].(map[any]any); ok {
				for k, v := range extra {
					fields[k.(string)] = v.(string)
				}
			}
			p.rows = append(p.rows, fields)
		}
		return p
	}
	list := reply.([]any)
	p.total = list[0].(int64)
	for i := 1; i < len(list); i++ {
		if flat, ok := list[i].([]any); ok {
			for j := 0; j < len(flat); j += 2 {
				p.rows[len(p.rows)-1][flat[j].(string)] = flat[j+1].(string)
			}
			continue
		}
		p.ids = append(p.ids, list[i].(string))
		p.rows = append(p.rows, map[string]string{})
	}
	return p
}

func docs(n ...int) (out []string) {
	for _, i := range n {
		out = append(out, fmt.Sprintf("doc:%d", i))
	}
	return out
}

func TestFTSearchFilters(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		for _, tc := range []struct {
			query string
			want  []string
		}{
			{"@genre:{horror}", docs(0, 3, 6, 9)},
			{"@genre:{DRAMA}", docs(1, 2, 4, 5, 7, 8, 10, 11)},
			{"@genre:{com*}", docs(1, 4, 7, 10)},
			{"@genre:{comedy} @genre:{drama}", docs(1, 4, 7, 10)},
			{"@year:[2015 2017]", docs(5, 6, 7)},
			{"@year:[(2015 (2017]", docs(6)},
			{"@year:[2020 inf]", docs(10, 11)},
			{"-@year:[2011 inf]", docs(0)},
			{"@genre:{horror} | @year:[2020 2020]", docs(0, 3, 6, 9, 10)},
			{"@genre:{horror} -@year:[2015 inf]", docs(0, 3)},
			{"@year==2013", docs(3)},
			{"@genre:{nosuch}", nil},
		} {
			p := search(t, rdb, "idx", tc.query, "NOCONTENT", "LIMIT", "0", "100")
			require.Equal(t, tc.want, p.ids, tc.query)
			require.Equal(t, int64(len(tc.want)), p.total, tc.query)
		}
		p := search(t, rdb, "idx", "*")
		require.Equal(t, int64(12), p.total)
		require.Equal(t, docs(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), p.ids)
		require.Equal(t, map[string]string{"vec": blob(0, 0), "genre": "horror", "year": "2010", "title": "t"}, p.rows[0])
		p = search(t, rdb, "idx", "*", "LIMIT", "10", "10", "RETURN", "4", "year", "genre", "AS", "g")
		require.Equal(t, docs(10, 11), p.ids)
		require.Equal(t, map[string]string{"year": "2020", "g": "Comedy;Drama"}, p.rows[0])
		for _, count := range [][]any{{"idx", "*", "LIMIT", "0", "0"}, {"idx", "*", "COUNT"}} {
			p = search(t, rdb, count...)
			require.Equal(t, int64(12), p.total)
			require.Empty(t, p.ids)
		}
		require.Equal(t, docs(3, 5), search(t, rdb, "idx", "*", "INKEYS", "3", "doc:5", "doc:3", "nosuch", "NOCONTENT").ids)
		require.Empty(t, search(t, rdb, "idx", "*", "INKEYS", "1", "nosuch", "NOCONTENT").ids)
		require.Equal(t, docs(4), search(t, rdb, "idx", "@genre:{comedy}", "FILTER", "year", "2012", "(2017", "NOCONTENT").ids)
		p = search(t, rdb, "idx", "@year:[$a $b]", "PARAMS", "4", "a", "2012", "b", "2013", "DIALECT", "2", "NOCONTENT")
		require.Equal(t, docs(2, 3), p.ids)
	})
}

func TestFTSearchSorts(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		run(t, rdb, "HSET", "doc:none", "genre", "horror")
		p := search(t, rdb, "idx", "*", "SORTBY", "year", "DESC", "LIMIT", "0", "3", "NOCONTENT")
		require.Equal(t, docs(11, 10, 9), p.ids)
		require.Equal(t, int64(13), p.total)
		p = search(t, rdb, "idx", "*", "SORTBY", "@year", "DESC", "LIMIT", "11", "3", "NOCONTENT")
		require.Equal(t, []string{"doc:0", "doc:none"}, p.ids, "missing values last")
		p = search(t, rdb, "idx", "@genre:{horror}", "SORTBY", "genre", "ASC", "NOCONTENT")
		require.Equal(t, []string{"doc:0", "doc:3", "doc:6", "doc:9", "doc:none"}, p.ids, "ties by insertion order")
		p = search(t, rdb, "idx", "*=>[KNN 5 @v $q]", "PARAMS", "2", "q", blob(0, 0), "SORTBY", "year", "DESC", "LIMIT", "0", "2", "NOCONTENT")
		require.Equal(t, docs(4, 3), p.ids)
		require.Equal(t, int64(5), p.total)
		refused(t, rdb, "Property `nosuch` not loaded nor in schema", "FT.SEARCH", "idx", "*", "SORTBY", "nosuch")
	})
}

// A value is a number to SORTBY if it is one to the index.
func TestFTSortsByWhatIsIndexed(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		run(t, rdb, "FT.CREATE", "idx", "SCHEMA", "n", "NUMERIC")
		for key, n := range map[string]string{"a": "5", "b": "1e400", "c": "Infinity", "d": "-inf"} {
			run(t, rdb, "HSET", key, "n", n)
		}
		require.Equal(t, []string{"d", "a", "b"}, search(t, rdb, "idx", "@n:[-inf inf]", "SORTBY", "n", "NOCONTENT").ids)
		require.Equal(t, []string{"d", "a", "b", "c"}, search(t, rdb, "idx", "*", "SORTBY", "n", "NOCONTENT").ids)
		require.Equal(t, []string{"b", "a", "d", "c"}, search(t, rdb, "idx", "*", "SORTBY", "n", "DESC", "NOCONTENT").ids)
	})
}

func TestFTSearchNearest(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		p := search(t, rdb, "idx", "*=>[KNN 2 @v $q]", "PARAMS", "2", "q", blob(0, 0), "DIALECT", "2")
		require.Equal(t, docs(0, 1), p.ids)
		require.Equal(t, int64(2), p.total)
		require.Equal(t, map[string]string{"__v_score": "1", "vec": blob(1, 0), "genre": "Comedy;Drama", "year": "2011", "title": "t"}, p.rows[1])
		p = search(t, rdb, "idx", "@genre:{horror}=>[KNN 3 @v $q EF_RUNTIME 50 AS d]", "PARAMS", "2", "q", blob(5, 0), "RETURN", "1", "d")
		require.Equal(t, docs(6, 3, 9), p.ids)
		require.Equal(t, []map[string]string{{"d": "1"}, {"d": "4"}, {"d": "16"}}, p.rows)
		p = search(t, rdb, "idx", "*=>[KNN 2 @v $q]=>{$yield_distance_as: far}", "PARAMS", "2", "q", blob(0.5, 1), "RETURN", "2", "year", "far")
		require.Equal(t, map[string]string{"year": "2010", "far": "1.25"}, p.rows[0])
		p = search(t, rdb, "idx", "*=>[KNN 100 @v $q]", "PARAMS", "2", "q", blob(0, 0), "NOCONTENT", "LIMIT", "10", "10")
		require.Equal(t, docs(10, 11), p.ids)
		require.Equal(t, int64(12), p.total)
		p = search(t, rdb, "idx", "*=>[KNN 4 @v $q HYBRID_POLICY ADHOC_BF]", "PARAMS", "2", "q", blob(11, 0), "RETURN", "0")
		require.Equal(t, docs(11, 10, 9, 8), p.ids)
	})
}

func TestFTDistances(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		for metric, want := range map[string][]string{"L2": {"0.0399999991059", "5"}, "IP": {"0.200000002980", "1"}, "COSINE": {"0", "1"}} {
			name := "x" + metric
			run(t, rdb, "FT.CREATE", name, "PREFIX", "1", metric+":", "SCHEMA", "v", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", metric)
			run(t, rdb, "HSET", metric+":a", "v", blob(0.8, 0))
			run(t, rdb, "HSET", metric+":b", "v", blob(0, 2))
			p := search(t, rdb, name, "*=>[KNN 2 @v $q AS d]", "PARAMS", "2", "q", blob(1, 0), "RETURN", "1", "d")
			for i, w := range want {
				expected, _ := strconv.ParseFloat(w, 64)
				got, err := strconv.ParseFloat(p.rows[i]["d"], 64)
				require.NoError(t, err)
				require.InDelta(t, expected, got, 1e-6, "%s %d", metric, i)
			}
		}
	})
}

func TestFTFloat16(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		run(t, rdb, "FT.CREATE", "half", "PREFIX", "1", "h:", "SCHEMA", "v", "VECTOR", "HNSW", "6", "TYPE", "float16", "DIM", "2", "DISTANCE_METRIC", "L2")
		run(t, rdb, "HSET", "h:a", "v", "\x00\x3c\x00\x00") // 1, 0
		run(t, rdb, "HSET", "h:b", "v", "\x00\x00\x00\xc2") // 0, -3
		run(t, rdb, "HSET", "h:c", "v", blob(1, 1))         // of float32
		p := search(t, rdb, "half", "*=>[KNN 3 @v $q AS d]", "PARAMS", "2", "q", "\x00\x3c\x00\x3c", "RETURN", "1", "d")
		require.Equal(t, []string{"h:a", "h:b"}, p.ids)
		require.Equal(t, []map[string]string{{"d": "1"}, {"d": "17"}}, p.rows)
		require.Error(t, rdb.Do(t.Context(), "FT.SEARCH", "half", "*=>[KNN 3 @v $q]", "PARAMS", "2", "q", blob(1, 1)).Err())
		require.Contains(t, fmt.Sprint(run(t, rdb, "FT.INFO", "half")), "FLOAT16")
	})
}

func TestFTFollowsTheKeys(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		ids := func(query string) []string {
			return search(t, rdb, "idx", query, "NOCONTENT", "LIMIT", "0", "100").ids
		}
		require.Equal(t, docs(0, 3, 6, 9), ids("@genre:{horror}"))
		run(t, rdb, "DEL", "doc:0")
		run(t, rdb, "HSET", "doc:3", "genre", "drama")
		run(t, rdb, "HDEL", "doc:6", "genre")
		require.Equal(t, docs(9), ids("@genre:{horror}"))
		run(t, rdb, "RENAME", "doc:9", "moved")
		require.Empty(t, ids("@genre:{horror}"))
		run(t, rdb, "RENAME", "moved", "doc:9")
		require.Equal(t, docs(9), ids("@genre:{horror}"))
		run(t, rdb, "SET", "doc:9", "a string")
		require.Empty(t, ids("@genre:{horror}"))
		run(t, rdb, "HSET", "doc:e", "genre", "horror")
		run(t, rdb, "PEXPIRE", "doc:e", "30")
		require.Equal(t, []string{"doc:e"}, ids("@genre:{horror}"))
		time.Sleep(40 * time.Millisecond)
		require.Empty(t, ids("@genre:{horror}"))
		require.Eventually(t, func() bool { return search(t, rdb, "idx", "@genre:{horror}", "COUNT").total == 0 }, 5*time.Second, 10*time.Millisecond)

		_, err := rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.HSet(ctx, "doc:m1", "genre", "multi")
			pipe.HSet(ctx, "doc:m2", "genre", "multi")
			pipe.Do(ctx, "FT.SEARCH", "idx", "@genre:{multi}", "NOCONTENT")
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"doc:m1", "doc:m2"}, ids("@genre:{multi}"))
		run(t, rdb, "FLUSHDB")
		require.Empty(t, run(t, rdb, "FT._LIST"))
	})
}

// Expired keys that the sweeper has not met yet take no places from the nearest that live.
func TestFTNearestBehindExpiredKeys(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		for i := range 9 {
			run(t, rdb, "PEXPIRE", fmt.Sprintf("doc:%d", i), "1")
		}
		time.Sleep(3 * time.Millisecond)
		for _, shown := range [][]any{{"NOCONTENT"}, {"RETURN", "1", "__v_score"}, {"RETURN", "0"}, {"RETURN", "1", "year"}, {}} {
			got := search(t, rdb, append([]any{"idx", "*=>[KNN 2 @v $q]", "PARAMS", "2", "q", blob(0, 0)}, shown...)...)
			require.Equal(t, docs(9, 10), got.ids)
			require.Equal(t, int64(2), got.total)
		}
	})
}

// What the reply shows does not depend on whether documents had to be read for an expiry.
func TestFTFieldsOfNearest(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		nearest := func(args ...any) []map[string]string {
			return search(t, rdb, append([]any{"idx", "*=>[KNN 2 @v $q AS d]", "PARAMS", "2", "q", blob(0, 0)}, args...)...).rows
		}
		check := func() {
			require.Equal(t, []map[string]string{{}, {}}, nearest("NOCONTENT"))
			require.Equal(t, []map[string]string{{"d": "0"}, {"d": "1"}}, nearest("RETURN", "1", "d"))
			require.Equal(t, []map[string]string{{"d": "0", "year": "2010"}, {"d": "1", "year": "2011"}}, nearest("RETURN", "2", "d", "year"))
			require.Equal(t, []map[string]string{{"d": "1"}, {"d": "0"}}, nearest("RETURN", "1", "d", "SORTBY", "year", "DESC"))
			require.Len(t, nearest()[0], 5)
		}
		check()
		run(t, rdb, "PEXPIRE", "doc:5", "100000")
		check()
	})
}

func TestFTBadFieldsAreLeftOut(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		movies(t, rdb)
		run(t, rdb, "HSET", "doc:bad", "vec", "1234567", "genre", "bad", "year", "x")
		require.Equal(t, []string{"doc:bad"}, search(t, rdb, "idx", "@genre:{bad}", "NOCONTENT").ids)
		info := ftInfoOf(t, rdb, "idx")
		require.EqualValues(t, 2, info["hash_indexing_failures"])
		errs := asMap(t, info["Index Errors"])
		require.EqualValues(t, 2, errs["indexing failures"])
		require.Equal(t, "doc:bad", errs["last indexing error key"])
		require.EqualValues(t, 13, info["num_docs"])
		require.EqualValues(t, 12, info["num_indexed_vectors"])
	})
}

func TestFTBackfillOfExistingKeys(t *testing.T) {
	both(t, func(t *testing.T, rdb *redis.Client) {
		for i := range 500 {
			run(t, rdb, "HSET", fmt.Sprintf("k:%03d", i), "n", i)
		}
		run(t, rdb, "FT.CREATE", "late", "PREFIX", "1", "k:", "SCHEMA", "n", "NUMERIC")
		require.Eventually(t, func() bool { return ftInfoOf(t, rdb, "late")["backfill_status"] == "Completed" }, 5*time.Second, 10*time.Millisecond)
		require.Equal(t, int64(500), search(t, rdb, "late", "*", "COUNT").total)
		require.Equal(t, int64(100), search(t, rdb, "late", "@n:[0 99]", "COUNT").total)
		run(t, rdb, "FT.CREATE", "skip", "PREFIX", "1", "k:", "SKIPINITIALSCAN", "SCHEMA", "n", "NUMERIC")
		require.Zero(t, search(t, rdb, "skip", "*", "COUNT").total)
		run(t, rdb, "FT.DROPINDEX", "late", "DD")
		require.Equal(t, int64(0), run(t, rdb, "DBSIZE"))
	})
}

// asMap reads a map of either version.
func asMap(t testing.TB, v any) map[string]any {
	t.Helper()
	out := map[string]any{}
	switch v := v.(type) {
	case map[any]any:
		for k, x := range v {
			out[k.(string)] = x
		}
	case []any:
		require.Zero(t, len(v)%2)
		for i := 0; i < len(v); i += 2 {
			out[v[i].(string)] = v[i+1]
		}
	default:
		require.Fail(t, "no map", "%T", v)
	}
	return out
}

func ftInfoOf(t testing.TB, rdb *redis.Client, index string) map[string]any {
	t.Helper()
	return asMap(t, run(t, rdb, "FT.INFO", index))
}

func TestFTReplyShapes(t *testing.T) {
	f := start(t, Options{})
	movies(t, f.client())
	r := f.raw()
	require.Equal(t, "*1|:12|", r.do("FT.SEARCH idx * COUNT"))
	require.Equal(t, "*2|:1|$5|doc:7|", r.do("FT.SEARCH idx @year:[2017,2017] NOCONTENT"))
	require.Equal(t, "*3|:1|$5|doc:7|*2|$1|y|$4|2017|", r.do("FT.SEARCH idx @year:[2017,2017] RETURN 3 year AS y"))
	require.Equal(t, "*6|:1|$5|doc:7|$1|0|$-1|$5|#2017|*0|", r.do("FT.SEARCH idx @year:[2017,2017] WITHSCORES WITHPAYLOADS WITHSORTKEYS SORTBY year RETURN 1 nosuch"))
	require.Equal(t, "*4|:12|$5|doc:0|$1|1|$7|$horror|", r.do("FT.SEARCH idx * WITHSCORES WITHSORTKEYS SORTBY genre DESC LIMIT 0 1 NOCONTENT"))
	require.Equal(t, "*4|:12|$5|doc:0|$-1|*0|", r.do("FT.SEARCH idx * WITHSORTKEYS LIMIT 0 1 RETURN 1 nosuch"))
	r.send("FT.SEARCH", "idx", "*=>[KNN 2 @v $q]", "PARAMS", "2", "q", blob(0, 0), "RETURN", "2", "__v_score", "year", "DIALECT", "2")
	require.Equal(t, "*5|:2|$5|doc:0|*4|$9|__v_score|$1|0|$4|year|$4|2010|$5|doc:1|*4|$9|__v_score|$1|1|$4|year|$4|2011|", r.reply())
	r.do("HELLO 3")
	require.Equal(t, "%5|$10|attributes|*0|$6|format|$6|STRING|$7|results|*1|%3|$2|id|$5|doc:7|$16|extra_attributes|%1|$4|year|$4|2017|"+
		"$6|values|*0|$13|total_results|:1|$7|warning|*0|", r.do("FT.SEARCH idx @year:[2017,2017] RETURN 1 year"))
	require.Equal(t, "%5|$10|attributes|*0|$6|format|$6|STRING|$7|results|*1|%5|$2|id|$5|doc:7|$5|score|,0|$7|payload|_|$7|sortkey|$5|#2017|"+
		"$6|values|*0|$13|total_results|:1|$7|warning|*0|", r.do("FT.SEARCH idx @year:[2017,2017] WITHSCORES WITHPAYLOADS WITHSORTKEYS SORTBY year NOCONTENT"))
	require.Equal(t, "~1|$3|idx|", r.do("FT._LIST"))
}

func TestFTOrderOfNearest(t *testing.T) {
	f := start(t, Options{})
	rdb := f.client()
	movies(t, rdb)
	query := []any{"idx", "*=>[KNN 3 @v $q]", "PARAMS", "2", "q", blob(11, 0), "NOCONTENT"}
	require.Equal(t, docs(11, 10, 9), search(t, rdb, query...).ids)
	require.NoError(t, rdb.ConfigSet(ctx, "search.knn-order", "insertion").Err())
	require.Equal(t, docs(9, 10, 11), search(t, rdb, query...).ids)
	require.Equal(t, docs(11, 10, 9), search(t, rdb, append(query, "SORTBY", "__v_score")...).ids)
}

func TestFTTimeout(t *testing.T) {
	f := start(t, Options{})
	rdb := f.client()
	run(t, rdb, "FT.CREATE", "idx", "SCHEMA", "n", "NUMERIC")
	for from := 0; from < 6000; from += 1000 {
		pipe := rdb.TxPipeline()
		for i := range 1000 {
			pipe.HSet(ctx, fmt.Sprintf("k%d", from+i), "n", i)
		}
		_, err := pipe.Exec(ctx)
		require.NoError(t, err)
	}
	sorted := []any{"FT.SEARCH", "idx", "*", "SORTBY", "n", "TIMEOUT", "1"}
	_, err := rdb.Do(ctx, sorted...).Result()
	require.EqualError(t, err, "Timeout limit was reached")
	require.NoError(t, rdb.ConfigSet(ctx, "search.on-timeout", "return").Err())
	reply := run(t, rdb, sorted...).(map[any]any)
	require.Equal(t, []any{"Timeout limit was reached"}, reply["warning"])
	require.Equal(t, int64(6000), search(t, rdb, "idx", "*", "SORTBY", "n", "LIMIT", "5990", "20", "NOCONTENT").total)
}

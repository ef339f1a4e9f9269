package respapi

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// searcher is what the clients of one node and of a cluster share.
type searcher interface {
	redis.Cmdable
	redis.SearchCmdable
}

// TestClientLibrarySearches goes through the library's own search types, with its default options, with version 2 and as a
// cluster.
func TestClientLibrarySearches(t *testing.T) {
	for _, tc := range []struct {
		name string
		open func(addr string) redis.UniversalClient
	}{
		{"default options", func(addr string) redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) }},
		{"version 2", func(addr string) redis.UniversalClient {
			return redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		}},
		{"cluster", func(addr string) redis.UniversalClient {
			return redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
		}},
		{"cluster, version 2", func(addr string) redis.UniversalClient {
			return redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}, Protocol: 2})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rdb := tc.open(start(t, Options{}).addr)
			defer rdb.Close()
			for _, flat := range []bool{true, false} {
				librarySearches(t, rdb.(searcher), flat)
			}
		})
	}
}

func librarySearches(t *testing.T, rdb searcher, flat bool) {
	const n = 10
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range n { // before the index: backfill
			doc := map[string]any{"vec": []byte(blob(float32(i), 0)), "year-made": 2010 + i, "title": "some words"}
			if i < n-1 {
				doc["genre"] = []string{"horror", "Comedy;Drama", "drama"}[i%3]
			}
			p.HSet(ctx, fmt.Sprint("doc:", i), doc)
		}
		return nil
	})
	require.NoError(t, err)
	vector := &redis.FTVectorArgs{HNSWOptions: &redis.FTHNSWOptions{Type: "FLOAT32", Dim: 2, DistanceMetric: "L2", MaxEdgesPerNode: 16, EFRunTime: 20}}
	if flat {
		vector = &redis.FTVectorArgs{FlatOptions: &redis.FTFlatOptions{Type: "FLOAT32", Dim: 2, DistanceMetric: "L2", InitialCapacity: 100}}
	}
	create := func() error {
		return rdb.FTCreate(ctx, "idx", &redis.FTCreateOptions{OnHash: true, Prefix: []any{"doc:"}},
			&redis.FieldSchema{FieldName: "genre", FieldType: redis.SearchFieldTypeTag, Separator: ";"},
			&redis.FieldSchema{FieldName: "year-made", FieldType: redis.SearchFieldTypeNumeric, Sortable: true},
			&redis.FieldSchema{FieldName: "title", FieldType: redis.SearchFieldTypeText, NoStem: true},
			&redis.FieldSchema{FieldName: "vec", As: "v", FieldType: redis.SearchFieldTypeVector, VectorArgs: vector}).Err()
	}
	require.NoError(t, create())
	require.EqualError(t, create(), "Index already exists")
	require.Eventually(t, func() bool { return rdb.FTInfo(ctx, "idx").Val().PercentIndexed == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, []string{"idx"}, rdb.FT_List(ctx).Val())

	info, err := rdb.FTInfo(ctx, "idx").Result()
	require.NoError(t, err)
	require.Equal(t, "idx", info.IndexName)
	require.Equal(t, n, info.NumDocs)
	require.Equal(t, []string{"doc:"}, info.IndexDefinition.Prefixes)
	require.Len(t, info.Attributes, 4)
	require.Equal(t, "vec", info.Attributes[3].Identifier)
	require.Equal(t, "v", info.Attributes[3].Attribute)
	require.Equal(t, "VECTOR", info.Attributes[3].Type)

	libraryFilters(t, rdb)
	libraryNearest(t, rdb)

	require.NoError(t, rdb.HSet(ctx, "doc:6", "vec", "wrong").Err())
	require.Equal(t, []int{5}, found(t, rdb, "*=>[KNN 1 @v $q]", &redis.FTSearchOptions{Params: map[string]any{"q": []byte(blob(5.9, 0))}, DialectVersion: 2}))
	info = rdb.FTInfo(ctx, "idx").Val()
	require.Equal(t, 1, info.HashIndexingFailures)
	require.Equal(t, "doc:6", info.IndexErrors.LastIndexingErrorKey)
	require.Equal(t, 1, info.IndexErrors.IndexingFailures)

	require.NoError(t, rdb.FTDropIndex(ctx, "idx").Err())
	require.EqualError(t, rdb.FTSearch(ctx, "idx", "*").Err(), "idx: no such index")
	require.Equal(t, int64(1), rdb.Exists(ctx, "doc:0").Val())
	require.NoError(t, create())
	require.NoError(t, rdb.FTDropIndexWithArgs(ctx, "idx", &redis.FTDropIndexOptions{DeleteDocs: true}).Err())
	require.Zero(t, rdb.DBSize(ctx).Val())
}

// found runs a search and returns the numbers of the keys.
func found(t *testing.T, rdb searcher, query string, o *redis.FTSearchOptions) (out []int) {
	t.Helper()
	res, err := rdb.FTSearchWithArgs(ctx, "idx", query, o).Result()
	require.NoError(t, err, query)
	for _, d := range res.Docs {
		var i int
		_, err := fmt.Sscanf(d.ID, "doc:%d", &i)
		require.NoError(t, err)
		out = append(out, i)
	}
	return out
}

func libraryFilters(t *testing.T, rdb searcher) {
	for query, want := range map[string][]int{
		"@genre:{horror}": {0, 3, 6}, "@genre:{hor*}": {0, 3, 6}, "-@genre:{horror}": {1, 2, 4, 5, 7, 8, 9},
		"@year-made:[2012 (2014]": {2, 3}, "@year-made:[2018 +inf]": {8, 9}, "@genre:{drama} @year-made:[-inf 2012]": {1, 2},
		"@genre:{horror} | @year-made:[2019 2019]": {0, 3, 6, 9},
	} {
		got := found(t, rdb, query, &redis.FTSearchOptions{NoContent: true, Limit: 20, DialectVersion: 2})
		slices.Sort(got)
		require.Equal(t, want, got, query)
	}
	res, err := rdb.FTSearchWithArgs(ctx, "idx", "*", &redis.FTSearchOptions{
		SortBy: []redis.FTSearchSortBy{{FieldName: "year-made", Desc: true}}, LimitOffset: 1, Limit: 2,
		Return: []redis.FTSearchReturn{{FieldName: "year-made", As: "y"}, {FieldName: "genre"}}, WithScores: true,
	}).Result()
	require.NoError(t, err)
	require.Equal(t, 10, res.Total)
	require.Equal(t, map[string]string{"y": "2018", "genre": "drama"}, res.Docs[0].Fields)
	require.Equal(t, "doc:7", res.Docs[1].ID)
	count, err := rdb.FTSearchWithArgs(ctx, "idx", "@genre:{$g}", &redis.FTSearchOptions{CountOnly: true, Params: map[string]any{"g": "horror"}, DialectVersion: 2}).Result()
	require.NoError(t, err)
	require.Equal(t, 3, count.Total)
	require.ErrorContains(t, rdb.FTSearch(ctx, "idx", "@nosuch:{a}").Err(), "Unknown field")
}

func libraryNearest(t *testing.T, rdb searcher) {
	params := map[string]any{"q": []byte(blob(3.2, 0)), "k": 3}
	res, err := rdb.FTSearchWithArgs(ctx, "idx", "*=>[KNN $k @v $q AS d]", &redis.FTSearchOptions{Params: params, DialectVersion: 2}).Result()
	require.NoError(t, err)
	require.Equal(t, 3, res.Total)
	require.Equal(t, "doc:3", res.Docs[0].ID)
	require.Equal(t, blob(3, 0), res.Docs[0].Fields["vec"])
	require.Equal(t, "0.0400000177324", res.Docs[0].Fields["d"])
	require.Equal(t, []int{3, 4, 2}, found(t, rdb, "*=>[KNN 3 @v $q EF_RUNTIME 50]", &redis.FTSearchOptions{Params: params, DialectVersion: 2, NoContent: true}))
	require.Equal(t, []int{4, 2}, found(t, rdb, "*=>[KNN 5 @v $q AS d]", &redis.FTSearchOptions{Params: params, DialectVersion: 2,
		SortBy: []redis.FTSearchSortBy{{FieldName: "d", Asc: true}}, LimitOffset: 1, Limit: 2, Return: []redis.FTSearchReturn{{FieldName: "d"}}}))
	require.Equal(t, []int{3, 6}, found(t, rdb, "(@genre:{horror} @year-made:[2011 2030])=>[KNN 2 @v $q]=>{$yield_distance_as: far}",
		&redis.FTSearchOptions{Params: params, DialectVersion: 2}))
}

// The cluster client's transactions and its pipelines over many slots.
func TestClusterTransactions(t *testing.T) {
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{start(t, Options{}).addr}})
	defer c.Close()
	cmds, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "{a}x", 1, 0)
		p.Incr(ctx, "{a}x")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(2), cmds[1].(*redis.IntCmd).Val())
	require.NoError(t, c.Watch(ctx, func(tx *redis.Tx) error {
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "{a}x").Err() })
		return err
	}, "{a}x"))
	require.Equal(t, "3", c.Get(ctx, "{a}x").Val())
	require.NoError(t, c.HSet(ctx, "vector_storage", "vector_key", []byte(blob(1.2, 3.5, -0.8))).Err())
	require.Equal(t, blob(1.2, 3.5, -0.8), c.HGet(ctx, "vector_storage", "vector_key").Val())
}

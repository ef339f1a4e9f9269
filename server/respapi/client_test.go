package respapi

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

func TestClientLibraryWithDefaultOptions(t *testing.T) {
	f := start(t, Options{})
	rdb := f.client()
	require.NoError(t, rdb.Ping(ctx).Err())
	require.NoError(t, rdb.Set(ctx, "k", "v", time.Minute).Err())
	require.Equal(t, "v", rdb.Get(ctx, "k").Val())
	require.InDelta(t, 60, rdb.TTL(ctx, "k").Val().Seconds(), 2)
	require.Equal(t, redis.Nil, rdb.Get(ctx, "none").Err())
	vector := string([]byte{0, 1, 2, 0xff, '\r', '\n'})
	require.Equal(t, int64(2), rdb.HSet(ctx, "doc:1", "title", "deep", "v", vector).Val())
	require.Equal(t, map[string]string{"title": "deep", "v": vector}, rdb.HGetAll(ctx, "doc:1").Val())
	var keys []string
	for it := rdb.Scan(ctx, 0, "doc:*", 1).Iterator(); it.Next(ctx); {
		keys = append(keys, it.Val())
	}
	require.Equal(t, []string{"doc:1"}, keys)
	infos, err := rdb.Command(ctx).Result()
	require.NoError(t, err)
	require.Equal(t, int8(1), infos["hset"].FirstKeyPos)
	require.True(t, infos["get"].ReadOnly)
	require.Equal(t, map[string]string{"maxclients": "10000"}, rdb.ConfigGet(ctx, "maxcl*").Val())
	list, err := rdb.ClientList(ctx).Result()
	require.NoError(t, err)
	for _, field := range []string{"id=", "addr=", "laddr=", "name=", "db=0", "resp=3", "lib-name=go-redis", "lib-ver=", "user=default", "cmd=client|list", "age=", "idle="} {
		require.Contains(t, list, field)
	}
	slow, err := rdb.SlowLogGet(ctx, -1).Result()
	require.NoError(t, err)
	_ = slow
	require.NoError(t, rdb.FlushDB(ctx).Err())
	require.Zero(t, rdb.DBSize(ctx).Val())
}

func TestInfoHasWhatClientsNeed(t *testing.T) {
	rdb := start(t, Options{}).client()
	require.NoError(t, rdb.Set(ctx, "k", "v", time.Hour).Err())
	plain := rdb.Info(ctx).Val()
	for _, want := range []string{"redis_version:7.4.2", "redis_mode:standalone", "os:", "arch_bits:64", "process_id:", "tcp_port:",
		"uptime_in_seconds:", "connected_clients:", "used_memory:", "used_memory_human:", "maxmemory:", "loading:0", "role:master",
		"connected_slaves:0", "cluster_enabled:0", "acl_access_denied_cmd:", "total_commands_processed:", "keyspace_hits:",
		"db0:keys=1,expires=", "module:name=search,ver=21015,api=1,filters=0,usedby=[],using=[ReJSON],options=[]\r\n",
		"module:name=ReJSON,ver=20809,api=1,filters=0,usedby=[search],using=[],options=[]\r\n"} {
		require.Contains(t, plain, want)
	}
	require.NotContains(t, plain, "# Commandstats")
	search := rdb.Info(ctx, "SEARCH").Val()
	require.True(t, strings.HasPrefix(search, "# search_memory\r\n"), search)
	require.Contains(t, search, "search_background_indexing_status:NO_ACTIVITY")
	require.Contains(t, rdb.Info(ctx, "everything").Val(), "cmdstat_set:calls=1,")
}

func TestClusterClientAgainstOneNode(t *testing.T) {
	f := start(t, Options{})
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{f.addr}})
	defer c.Close()
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 50 {
			p.HSet(ctx, fmt.Sprint("key:", i), "f", i)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "7", c.HGet(ctx, "key:7", "f").Val())
	require.Equal(t, int64(50), c.DBSize(ctx).Val())
}

// Increments of several clients through pipelines add up, and each sees its own in order.
func TestPipelinedIncrementsAddUp(t *testing.T) {
	f := start(t, Options{})
	const clients, rounds, depth = 2, 20, 50
	var wg sync.WaitGroup
	for range clients {
		rdb := f.client()
		wg.Go(func() {
			last := int64(0)
			for range rounds {
				cmds, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
					for range depth {
						p.HIncrBy(ctx, "h", "n", 1)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				for _, c := range cmds {
					n := c.(*redis.IntCmd).Val()
					if n <= last {
						t.Errorf("%d after %d", n, last)
					}
					last = n
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, fmt.Sprint(clients*rounds*depth), f.client().HGet(ctx, "h", "n").Val())
}

// A pipeline that mixes writes and reads reads its own writes, in order.
func TestPipelineReadsItsOwnWrites(t *testing.T) {
	rdb := start(t, Options{}).client()
	cmds, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 200 {
			p.Set(ctx, "k", i, 0)
			p.Get(ctx, "k")
		}
		return nil
	})
	require.NoError(t, err)
	for i := range 200 {
		require.Equal(t, fmt.Sprint(i), cmds[2*i+1].(*redis.StringCmd).Val())
	}
}

// What one client was told is visible to every other at once.
func TestAcknowledgedWritesAreVisibleToOthers(t *testing.T) {
	f := start(t, Options{})
	a, b := f.client(), f.client()
	for i := range 100 {
		require.NoError(t, a.Set(ctx, "k", i, 0).Err())
		require.Equal(t, fmt.Sprint(i), b.Get(ctx, "k").Val())
	}
}

// Optimistic locking: of all read-modify-write cycles only those whose WATCH held take effect.
func TestWatchRaces(t *testing.T) {
	f := start(t, Options{})
	const clients, each = 4, 25
	var wg sync.WaitGroup
	for range clients {
		rdb := f.client()
		wg.Go(func() {
			for done := 0; done < each; {
				err := rdb.Watch(ctx, func(tx *redis.Tx) error {
					n, err := tx.Get(ctx, "counter").Int()
					if err != nil && err != redis.Nil {
						return err
					}
					_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
						p.Set(ctx, "counter", n+1, 0)
						p.HSet(ctx, "seen", n+1, 1)
						return nil
					})
					return err
				}, "counter")
				switch err {
				case nil:
					done++
				case redis.TxFailedErr:
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	rdb := f.client()
	require.Equal(t, fmt.Sprint(clients*each), rdb.Get(ctx, "counter").Val())
	require.Equal(t, int64(clients*each), rdb.HLen(ctx, "seen").Val())
}

func TestTransactionRunsAcrossDatabases(t *testing.T) {
	f := start(t, Options{})
	r := f.raw()
	for _, line := range []string{"multi", "set a 1", "select 3", "set a 3", "get a", "select 0", "get a"} {
		r.do(line)
	}
	require.Equal(t, "*6|+OK|+OK|+OK|$1|3|+OK|$1|1|", r.do("exec"))
	require.Equal(t, "$1|1|", r.do("get a"))
	r.do("select 3")
	require.Equal(t, "$1|3|", r.do("get a"))
}

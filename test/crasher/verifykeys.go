package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/test/oracle"
)

func (w *world) verifyKeys(ctx context.Context, s *server) error {
	c := s.redis[rand.IntN(2)]
	all, err := readKeys(ctx, c)
	if err != nil {
		return err
	}
	if size, err := c.DBSize(ctx).Result(); err != nil || size != int64(len(all)) {
		return fmt.Errorf("DBSIZE is %d, SCAN found %d: %w", size, len(all), err)
	}
	hits, _ := strconv.ParseInt(all[counterKey][counterField], 10, 64)
	if err := w.hits.Resolve(hits); err != nil {
		return fmt.Errorf("HINCRBY by two clients: %w", err)
	}
	watched, _ := strconv.ParseInt(all[watchedKey][""], 10, 64)
	if err := w.watched.Resolve(watched); err != nil {
		return fmt.Errorf("WATCH by two clients: %w", err)
	}
	delete(all, counterKey)
	delete(all, watchedKey)
	found := make([]map[string]oracle.Hash, len(w.keys))
	for i := range found {
		found[i] = map[string]oracle.Hash{}
	}
	for key, h := range all {
		lane, ok := ownerOf(key)
		if !ok || lane >= len(found) {
			return fmt.Errorf("key %q: nobody wrote it", key)
		}
		found[lane][key] = h
	}
	for i, k := range w.keys {
		w.report.flight += k.lane.InFlight()
		kept, err := k.resolve(found[i])
		if err != nil {
			return err
		}
		w.report.kept += kept
	}
	return verifyIndexes(ctx, c, all)
}

// readKeys reads the whole database 0.
func readKeys(ctx context.Context, c *redis.Client) (map[string]oracle.Hash, error) {
	all := map[string]oracle.Hash{}
	var cursor uint64
	for {
		keys, next, err := c.Scan(ctx, cursor, "", 1000).Result()
		if err != nil {
			return nil, fmt.Errorf("SCAN: %w", err)
		}
		pipe := c.Pipeline()
		replies := map[string]redis.Cmder{}
		for _, key := range keys {
			if strings.HasPrefix(key, "doc:") || key == counterKey {
				replies[key] = pipe.HGetAll(ctx, key)
			} else {
				replies[key] = pipe.Get(ctx, key)
			}
		}
		if _, err := pipe.Exec(ctx); err != nil && len(keys) > 0 {
			return nil, fmt.Errorf("reading keys: %w", err)
		}
		for key, r := range replies {
			switch r := r.(type) {
			case *redis.MapStringStringCmd:
				all[key] = r.Val()
			case *redis.StringCmd:
				all[key] = oracle.Hash{"": r.Val()}
			}
		}
		if cursor = next; cursor == 0 {
			return all, nil
		}
	}
}

// verifyIndexes compares totals of FT.SEARCH with the keys.
func verifyIndexes(ctx context.Context, c *redis.Client, all map[string]oracle.Hash) error {
	for {
		var indexing int64
		info, err := c.Do(ctx, "FT.INFO", "docs").Result()
		if err != nil {
			return fmt.Errorf("FT.INFO: %w", err)
		}
		switch a := info.(type) {
		case map[any]any:
			indexing, _ = a["indexing"].(int64)
		case []any:
			for i := 0; i+1 < len(a); i += 2 {
				if a[i] == "indexing" {
					indexing, _ = a[i+1].(int64)
				}
			}
		}
		if indexing == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	docs, vectors, red, high := 0, 0, 0, 0
	lanes := map[string]int{}
	for key, h := range all {
		if !strings.HasPrefix(key, "doc:") {
			continue
		}
		docs++
		lanes[h["lane"]]++
		if len(h["vec"]) == 4*docDim {
			vectors++
		}
		if h["tag"] == "red" || h["tag"] == "red,green" {
			red++
		}
		if n, err := strconv.Atoi(h["num"]); err == nil && n >= 500 {
			high++
		}
	}
	type total struct {
		index, query string
		want         int
	}
	totals := []total{
		{"docs", "*", docs}, {"flat", "*", docs}, {"docs", "@tag:{red}", red},
		{"docs", "@num:[500 +inf]", high}, {"flat", "@num:[500 +inf]", high}, {"docs", "-@tag:{red}", docs - red},
	}
	for lane, n := range lanes {
		totals = append(totals, total{"docs", "@lane:{" + lane + "}", n})
	}
	for _, t := range totals {
		r, err := ftSearch(ctx, c, t.index, t.query, "NOCONTENT", "LIMIT", 0, 0)
		if err != nil {
			return err
		}
		if r.total != int64(t.want) {
			return fmt.Errorf("FT.SEARCH %s %q has %d results, the keys say %d", t.index, t.query, r.total, t.want)
		}
	}
	return verifyKNN(ctx, c, all, vectors)
}

// verifyKNN asks for all vectors at once, and for some keys by their own vectors.
func verifyKNN(ctx context.Context, c *redis.Client, all map[string]oracle.Hash, vectors int) error {
	const most = 5000
	keys, err := knn(ctx, c, "flat", "vec", make([]float32, docDim), most)
	if err != nil {
		return err
	}
	if len(keys) != min(vectors, most) {
		return fmt.Errorf("KNN over flat finds %d keys, %d have a vector", len(keys), vectors)
	}
	tried, met := 0, 0
	for key, h := range all {
		v, ok := blobVector(h["vec"])
		if !ok || isZero(v) {
			continue
		}
		near, err := knn(ctx, c, "flat", "vec", v, 1)
		if err != nil {
			return err
		}
		if len(near) != 1 || near[0] != key && all[near[0]]["vec"] != h["vec"] {
			return fmt.Errorf("KNN over flat does not find %s by its own vector but %v", key, near)
		}
		if near, err = knn(ctx, c, "docs", "v", v, 5); err != nil {
			return err
		}
		for _, k := range near {
			if k == key || all[k]["vec"] == h["vec"] {
				met++
				break
			}
		}
		if tried++; tried == 20 {
			break
		}
	}
	if met*10 < tried*8 {
		return fmt.Errorf("KNN over docs finds only %d of %d keys by their own vectors", met, tried)
	}
	return nil
}

func blobVector(s string) ([]float32, bool) {
	if len(s) != 4*docDim {
		return nil, false
	}
	v := make([]float32, docDim)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte(s[4*i:])))
	}
	return v, true
}

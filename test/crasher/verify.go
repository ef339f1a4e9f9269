package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/test/dataset"
	"github.com/isobath/isobath/test/oracle"
)

// setUp creates the collections and indexes and loads the base.
func (w *world) setUp(ctx context.Context, s *server) error {
	if err := s.Ready(ctx); err != nil {
		return err
	}
	for _, sp := range spaces {
		if err := s.rest.do(ctx, "PUT", "/collections/"+sp.name, []byte(sp.create), nil); err != nil {
			return err
		}
		for _, index := range indexes {
			if err := s.rest.do(ctx, "PUT", "/collections/"+sp.name+"/index?wait=true", []byte(index), nil); err != nil {
				return err
			}
		}
	}
	for _, index := range ftIndexes {
		if err := s.redis[0].Do(ctx, index...).Err(); err != nil {
			return fmt.Errorf("FT.CREATE: %w", err)
		}
	}
	if w.baseFile == "" {
		return nil
	}
	return w.loadBase(ctx, s)
}

const baseName = "base"

// loadBase fills a collection that is only read afterwards and waits until it is indexed.
func (w *world) loadBase(ctx context.Context, s *server) error {
	rows, err := dataset.ReadFvecs(w.baseFile, 0)
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"vectors":{"size":%d,"distance":"Cosine"},"hnsw_config":{"m":16,"ef_construct":200}}`, rows.Dim)
	if err := s.rest.do(ctx, "PUT", "/collections/"+baseName, []byte(body), nil); err != nil {
		return err
	}
	const batch = 1000
	for i := 0; i < rows.Len(); i += batch {
		to := min(i+batch, rows.Len())
		if err := s.rest.do(ctx, "PUT", "/collections/"+baseName+"/points?wait=true", rows.UpsertBody(i, to), nil); err != nil {
			return err
		}
	}
	w.base = rows.Len()
	w.baseQuery = string(dataset.AppendJSON(nil, rows.Row(rows.Len()/2)))
	for {
		var info struct {
			Status  string `json:"status"`
			Indexed int    `json:"indexed_vectors_count"`
		}
		if err := s.rest.do(ctx, "GET", "/collections/"+baseName, nil, &info); err != nil {
			return err
		}
		if info.Status == "green" && info.Indexed == w.base {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// firstAnswer waits for a search over HTTP and one over RESP, counted from the start.
func (w *world) firstAnswer(ctx context.Context, s *server) (time.Duration, error) {
	query := func() error {
		if w.base == 0 {
			return s.rest.do(ctx, "POST", "/collections/plain/points/query",
				[]byte(`{"query":`+string(dataset.AppendJSON(nil, make([]float32, 24)))+`,"limit":3}`), nil)
		}
		var out struct{ Points []pointDTO }
		if err := s.rest.do(ctx, "POST", "/collections/"+baseName+"/points/query", []byte(`{"query":`+w.baseQuery+`,"limit":3}`), &out); err != nil {
			return err
		}
		if len(out.Points) == 0 || string(out.Points[0].ID) != strconv.Itoa(w.base/2) {
			return &wrong{fmt.Errorf("first search did not find row %d: %v", w.base/2, out.Points)}
		}
		return nil
	}
	search := func() error {
		_, err := knn(ctx, s.redis[0], "docs", "v", make([]float32, docDim), 3)
		return err
	}
	for _, ask := range []func() error{query, search} {
		for {
			err := ask()
			if err == nil {
				break
			}
			if exited := s.notYet(err); exited != nil {
				return 0, exited
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	took := time.Since(s.Started)
	if took > grossDelay {
		return 0, fmt.Errorf("first answer came after %v", took)
	}
	return took, nil
}

// notYet decides whether an error of the first query means that the server is still starting.
func (s *server) notYet(err error) error {
	select {
	case <-s.Ended():
		return fmt.Errorf("the server did not come up: %w", err)
	default:
	}
	var w *wrong
	var no *refusal
	var reply redis.Error
	switch {
	case errors.As(err, &w):
		return err
	case errors.As(err, &no) && no.code != 503 && no.code != 500:
		return err
	case errors.As(err, &reply) && !strings.HasPrefix(reply.Error(), "LOADING"):
		return err
	case time.Since(s.Started) > 2*grossDelay:
		return fmt.Errorf("no answer for %v: %w", time.Since(s.Started), err)
	}
	return nil
}

// verify reads everything back and compares it with the model.
func (w *world) verify(ctx context.Context, s *server) error {
	for i := range spaces {
		if err := w.verifySpace(ctx, s, &spaces[i]); err != nil {
			return err
		}
	}
	if err := w.verifyKeys(ctx, s); err != nil {
		return err
	}
	w.report.flight += w.schema.lane.InFlight()
	kept, err := w.schema.verify(ctx, s.rest)
	if err != nil {
		return err
	}
	w.report.kept += kept
	if w.base > 0 {
		n, err := s.rest.count(ctx, baseName, "{}")
		if err != nil || n != w.base {
			return fmt.Errorf("%s has %d points, loaded were %d: %w", baseName, n, w.base, err)
		}
	}
	return nil
}

func (w *world) verifySpace(ctx context.Context, s *server, sp *space) error {
	rows, err := s.rest.scroll(ctx, sp.name)
	if err != nil {
		return err
	}
	found := map[int]map[string]oracle.Point{}
	all := map[string]oracle.Point{}
	for _, d := range rows {
		id, p, err := sp.parse(d)
		if err != nil {
			return err
		}
		lane, err := laneOf(id)
		if err != nil || lane >= len(w.points) || w.points[lane].space.name != sp.name {
			return fmt.Errorf("%s holds %s, which nobody wrote", sp.name, id)
		}
		if _, twice := all[id]; twice {
			return fmt.Errorf("%s: scroll shows %s twice", sp.name, id)
		}
		if found[lane] == nil {
			found[lane] = map[string]oracle.Point{}
		}
		found[lane][id], all[id] = p, p
	}
	for _, p := range w.points {
		if p.space.name != sp.name {
			continue
		}
		w.report.flight += p.lane.InFlight()
		kept, err := p.resolve(found[p.number])
		if err != nil {
			return err
		}
		w.report.kept += kept
		if err := p.compare(ctx, s.rest, p.some(200)); err != nil {
			return err
		}
	}
	if err := verifyCounts(ctx, s.rest, sp, all); err != nil {
		return err
	}
	return w.verifySearch(ctx, s.rest, sp, all)
}

// predicate is a filter in both languages.
type predicate struct {
	filter string
	holds  func(p oracle.Payload) bool
}

func predicates() []predicate {
	list := []predicate{
		{"{}", func(oracle.Payload) bool { return true }},
		{`{"must":{"key":"ok","match":{"value":true}}}`, func(p oracle.Payload) bool { return p["ok"] == "true" }},
		{`{"must_not":{"key":"ok","match":{"value":true}}}`, func(p oracle.Payload) bool { return p["ok"] != "true" }},
		{`{"must":{"is_empty":{"key":"patched"}}}`, func(p oracle.Payload) bool { return p["patched"] == "" }},
		{`{"should":[{"key":"tag","match":{"any":["red","a b"]}},{"key":"n","range":{"lt":300}}]}`, func(p oracle.Payload) bool {
			n, err := strconv.Atoi(p["n"])
			return p["tag"] == `"red"` || p["tag"] == `"a b"` || err == nil && n < 300
		}},
	}
	for _, tag := range tags {
		quoted := strconv.Quote(tag)
		list = append(list, predicate{
			`{"must":{"key":"tag","match":{"value":` + quoted + `}}}`,
			func(p oracle.Payload) bool { return p["tag"] == quoted },
		})
	}
	for lane := range 4 {
		list = append(list, predicate{
			fmt.Sprintf(`{"must":{"key":"lane","match":{"value":%d}}}`, lane),
			func(p oracle.Payload) bool { return p["lane"] == strconv.Itoa(lane) },
		})
	}
	return list
}

func verifyCounts(ctx context.Context, r *rest, sp *space, all map[string]oracle.Point) error {
	for _, pr := range predicates() {
		want := 0
		for _, p := range all {
			if pr.holds(p.Payload) {
				want++
			}
		}
		got, err := r.count(ctx, sp.name, pr.filter)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s: count of %s is %d, model has %d", sp.name, pr.filter, got, want)
		}
	}
	return nil
}

// verifySearch looks for stored vectors by themselves: exact search must find each, the graph nearly all.
func (w *world) verifySearch(ctx context.Context, r *rest, sp *space, all map[string]oracle.Point) error {
	const samples = 20
	tried, met := 0, 0
	for id, p := range all { // in random order
		v, ok := p.Vectors[sp.vectors[0].name]
		if !ok || isZero(v) {
			continue
		}
		for _, exact := range []bool{true, false} {
			var out struct{ Points []pointDTO }
			body := fmt.Sprintf(`{"query":%s,"using":%q,"limit":10,"params":{"exact":%t,"hnsw_ef":128}}`, dataset.AppendJSON(nil, v), sp.vectors[0].name, exact)
			if err := r.do(ctx, "POST", "/collections/"+sp.name+"/points/query", []byte(body), &out); err != nil {
				return err
			}
			here := false
			for _, hit := range out.Points {
				here = here || strings.Trim(string(hit.ID), `"`) == id
			}
			if exact && !here {
				return fmt.Errorf("%s: exact search does not find %s by its own vector: %+v", sp.name, id, out.Points)
			}
			if !exact && here {
				met++
			}
		}
		if tried++; tried == samples {
			break
		}
	}
	if met*10 < tried*8 {
		return fmt.Errorf("%s: search finds only %d of %d points by their own vectors", sp.name, met, tried)
	}
	return nil
}

func isZero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}

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

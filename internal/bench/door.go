package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/isobath/isobath/internal/client"
	"github.com/isobath/isobath/internal/dataset"
)

// door is one of the two protocols, for a number of workers at once.
type door interface {
	searcher
	create(ctx context.Context) error // the collection or index
	// encode makes one request or pipeline that stores rows, numbered from from. Workers may call it
	// at once.
	encode(worker, from int, rows *dataset.Rows) request
	// put sends a request and waits until its rows are durable and visible.
	put(ctx context.Context, worker int, q request) error
	// progress tells how many rows are in graphs and whether nothing is left to do.
	progress(ctx context.Context) (indexed int, idle bool, err error)
	count(ctx context.Context) (int, error)
	// explain has answers come with their counters from now on.
	explain()
	close() error
}

// request stores rows, as it goes over the wire.
type request struct {
	body []byte
	rows int
}

// httpDoor is a collection over HTTP.
type httpDoor struct {
	r       *Run
	http    client.HTTP
	bodies  map[*float32][]byte // of the set's queries, by their first float
	ids     [][]int32           // by worker
	counted bool                // answers come with their counters
}

const collectionPath = "/collections/" + collection

func (r *Run) openHTTP(url string, workers int) *httpDoor {
	d := &httpDoor{r: r, ids: make([][]int32, workers), bodies: map[*float32][]byte{}}
	d.http = client.HTTP{Base: url, Key: r.Key, Client: &http.Client{Transport: &http.Transport{
		MaxIdleConns: workers, MaxIdleConnsPerHost: workers, DisableCompression: true,
	}}}
	for i := range r.set.Queries.Len() {
		q := r.set.Queries.Row(i)
		d.bodies[&q[0]] = dataset.AppendJSON(nil, q)
	}
	return d
}

func (d *httpDoor) close() error {
	d.http.Client.CloseIdleConnections()
	return nil
}

func (d *httpDoor) explain() { d.counted = true }

func (d *httpDoor) create(ctx context.Context) error {
	distance := map[dataset.Metric]string{dataset.Cosine: "Cosine", dataset.Dot: "Dot", dataset.L2: "Euclid"}[d.r.set.Metric]
	body := map[string]any{
		"vectors":     map[string]any{"size": d.r.set.Dim, "distance": distance},
		"hnsw_config": map[string]any{"m": d.r.M, "ef_construct": d.r.EfConstruct},
	}
	if d.r.Collection != "" {
		var own map[string]any
		if err := json.Unmarshal([]byte(d.r.Collection), &own); err != nil {
			return fmt.Errorf("bench: configuration of the collection: %w", err)
		}
		for name, value := range own {
			inner, ok1 := value.(map[string]any)
			ours, ok2 := body[name].(map[string]any)
			if ok1 && ok2 {
				maps.Copy(ours, inner)
			} else {
				body[name] = value
			}
		}
	}
	return d.http.Call(ctx, http.MethodPut, collectionPath, body, nil)
}

func (d *httpDoor) encode(_, from int, rows *dataset.Rows) request {
	return request{dataset.UpsertBody(rows, from, nil), rows.Len()}
}

func (d *httpDoor) put(ctx context.Context, _ int, q request) error {
	_, err := d.http.Do(ctx, http.MethodPut, collectionPath+"/points?wait=true", q.body)
	return err
}

func (d *httpDoor) search(ctx context.Context, worker int, query []float32, ef, k int) (answer, error) {
	vector := d.bodies[&query[0]]
	if vector == nil {
		vector = dataset.AppendJSON(nil, query)
	}
	body := fmt.Appendf(make([]byte, 0, len(vector)+64), `{"query":%s,"limit":%d,"params":{"hnsw_ef":%d}}`, vector, k, ef)
	path := collectionPath + "/points/query"
	if d.counted {
		path += "?explain=true"
	}
	began := time.Now()
	text, err := d.http.Do(ctx, http.MethodPost, path, body)
	a := answer{took: time.Since(began)}
	if err == nil && d.counted {
		a.counters, err = countersOf(text)
	}
	if err != nil {
		return answer{}, err
	}
	d.ids[worker], err = pointIDs(d.ids[worker][:0], text)
	a.ids = d.ids[worker]
	return a, err
}

// countersOf reads what an answer says about its search.
func countersOf(text []byte) (Counters, error) {
	var envelope struct {
		Explain *struct {
			Distances float64 `json:"distances"`
			Hops      float64 `json:"hops"`
			Visited   float64 `json:"nodes_visited"`
			RowsRead  float64 `json:"rows_read"`
			CodeBytes float64 `json:"code_bytes_read"`
			FileBytes float64 `json:"row_bytes_read"`
		} `json:"explain"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return Counters{}, fmt.Errorf("bench: answer of the server: %w", err)
	}
	if envelope.Explain == nil {
		return Counters{}, errors.New("bench: the server does not explain its answers")
	}
	return Counters(*envelope.Explain), nil
}

// pointIDs reads the numbers of the points of an answer without payloads. A decoder of JSON would
// cost as much as the search.
func pointIDs(ids []int32, text []byte) ([]int32, error) {
	const mark = `"id":`
	for {
		at := bytes.Index(text, []byte(mark))
		if at < 0 {
			return ids, nil
		}
		text = text[at+len(mark):]
		end := bytes.IndexAny(text, ",}")
		id, err := strconv.ParseInt(string(text[:max(0, end)]), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("bench: id of an answer: %w", err)
		}
		ids = append(ids, int32(id))
	}
}

func (d *httpDoor) progress(ctx context.Context) (int, bool, error) {
	var info struct {
		Status string `json:"status"`
		Rows   int    `json:"indexed_vectors_count"`
	}
	err := d.http.Call(ctx, http.MethodGet, collectionPath, nil, &info)
	return info.Rows, info.Status == "green", err
}

func (d *httpDoor) count(ctx context.Context) (int, error) {
	var out struct{ Count int }
	err := d.http.Call(ctx, http.MethodPost, collectionPath+"/points/count", []byte(`{"exact":true}`), &out)
	return out.Count, err
}

// components reads isobath_memory_bytes from the metrics.
func components(ctx context.Context, url string) (map[string]int64, error) {
	h := client.HTTP{Base: url}
	text, err := h.Do(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return nil, err
	}
	parts := map[string]int64{}
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(`isobath_memory_bytes{component="`))
		name, value, found := bytes.Cut(rest, []byte(`"} `))
		if n, err := strconv.ParseFloat(string(value), 64); ok && found && err == nil {
			parts[string(name)] = int64(n)
		}
	}
	return parts, nil
}

// respDoor is hashes under an index over RESP, one connection a worker.
type respDoor struct {
	r       *Run
	conns   []*client.RESP // the last one is for everything that is no worker's
	ids     [][]int32
	counted bool // answers come with their counters
}

func (r *Run) openRESP(ctx context.Context, addr string, workers int) (_ *respDoor, err error) {
	d := &respDoor{r: r, ids: make([][]int32, workers)}
	for range workers + 1 {
		c, err := client.DialRESP(ctx, addr)
		if err == nil {
			d.conns = append(d.conns, c)
			if r.Key != "" {
				_, err = c.Do("AUTH", r.Key)
			}
		}
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return d, nil
}

func (d *respDoor) close() (err error) {
	for _, c := range d.conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (d *respDoor) explain() { d.counted = true }

func (d *respDoor) do(args ...any) (any, error) { return d.conns[len(d.conns)-1].Do(args...) }

func (d *respDoor) create(context.Context) error {
	metric := map[dataset.Metric]string{dataset.Cosine: "COSINE", dataset.Dot: "IP", dataset.L2: "L2"}[d.r.set.Metric]
	_, err := d.do("FT.CREATE", collection, "ON", "HASH", "PREFIX", 1, keyPrefix, "SCHEMA", "v", "VECTOR", "HNSW", 10,
		"TYPE", "FLOAT32", "DIM", d.r.set.Dim, "DISTANCE_METRIC", metric, "M", d.r.M, "EF_CONSTRUCTION", d.r.EfConstruct)
	return err
}

func (d *respDoor) encode(worker, from int, rows *dataset.Rows) request {
	c := d.conns[worker]
	for i := range rows.Len() {
		c.Add("HSET", keyPrefix+strconv.Itoa(from+i), "v", dataset.Blob(rows.Row(i)))
	}
	return request{c.Pipeline(), rows.Len()}
}

func (d *respDoor) put(_ context.Context, worker int, q request) error {
	c := d.conns[worker]
	if err := c.Send(q.body); err != nil {
		return err
	}
	var first error
	for range q.rows {
		if _, err := c.Receive(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (d *respDoor) search(_ context.Context, worker int, query []float32, ef, k int) (answer, error) {
	text := fmt.Sprintf("*=>[KNN %d @v $q EF_RUNTIME %d]", k, ef)
	clauses := []any{text, "PARAMS", 2, "q", dataset.Blob(query), "NOCONTENT", "LIMIT", 0, k, "DIALECT", 2}
	command := []any{"FT.SEARCH", collection}
	if d.counted {
		command = []any{"FT.PROFILE", collection, "SEARCH", "QUERY"}
	}
	command = append(command, clauses...)
	began := time.Now()
	reply, err := d.conns[worker].Do(command...)
	a := answer{took: time.Since(began)}
	if err != nil {
		return answer{}, err
	}
	list, _ := reply.([]any)
	if d.counted {
		if len(list) != 2 {
			return answer{}, fmt.Errorf("bench: answer of FT.PROFILE: %v", reply)
		}
		if a.counters, err = countersOfProfile(list[1]); err != nil {
			return answer{}, err
		}
		list, _ = list[0].([]any)
	}
	ids := d.ids[worker][:0]
	for _, key := range list[min(1, len(list)):] {
		name, _ := key.(string)
		id, err := rowOfKey(name)
		if err != nil {
			return answer{}, err
		}
		ids = append(ids, id)
	}
	d.ids[worker], a.ids = ids, ids
	return a, nil
}

// countersOfProfile reads what FT.PROFILE says about its search.
func countersOfProfile(profile any) (c Counters, err error) {
	list, _ := profile.([]any)
	for name, to := range map[string]*float64{
		"Distance computations": &c.Distances, "Hops": &c.Hops, "Candidates visited": &c.Visited, "Rows read": &c.RowsRead,
		"Bytes of codes read": &c.CodeBytes, "Bytes of rows read from disk": &c.FileBytes,
	} {
		if *to, err = numberOf(list, name); err != nil {
			return Counters{}, fmt.Errorf("bench: FT.PROFILE: %w", err)
		}
	}
	return c, nil
}

// numberOf returns a number of a list of names and values.
func numberOf(list []any, name string) (float64, error) {
	for i := 0; i+1 < len(list); i += 2 {
		if fmt.Sprint(list[i]) == name {
			return strconv.ParseFloat(fmt.Sprint(list[i+1]), 64)
		}
	}
	return 0, fmt.Errorf("no %s among %v", name, list)
}

func (d *respDoor) progress(context.Context) (int, bool, error) {
	waiting, err := d.info("mutation_queue_size")
	if err != nil {
		return 0, false, err
	}
	rows, err := d.info("num_indexed_vectors")
	return rows, waiting == 0, err
}

func (d *respDoor) count(context.Context) (int, error) { return d.info("num_docs") }

// info returns a number of FT.INFO.
func (d *respDoor) info(name string) (int, error) {
	reply, err := d.do("FT.INFO", collection)
	if err != nil {
		return 0, err
	}
	list, _ := reply.([]any)
	n, err := numberOf(list, name)
	if err != nil {
		return 0, fmt.Errorf("bench: FT.INFO: %w", err)
	}
	return int(n), nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/internal/dataset"
)

// respDoor loads hashes under an index.
type respDoor struct {
	s      *server
	rows   *dataset.Rows
	client *redis.Client

	loaders []loader // by client
}

// loader is a connection that sends requests as they are.
type loader struct {
	nc net.Conn
	in *bufio.Reader
}

func (d *respDoor) open() error {
	d.client = redis.NewClient(&redis.Options{Addr: d.s.proc.RESP, Protocol: 2, MaxRetries: -1, ReadTimeout: -1, WriteTimeout: -1})
	d.loaders = make([]loader, d.s.clients)
	return nil
}

func (d *respDoor) create(ctx context.Context) error {
	return d.client.Do(ctx, "FT.CREATE", collection, "ON", "HASH", "PREFIX", 1, "row:", "SCHEMA", "v", "VECTOR", "HNSW", 10,
		"TYPE", "FLOAT32", "DIM", d.rows.Dim, "DISTANCE_METRIC", "COSINE", "M", 16, "EF_CONSTRUCTION", 200).Err()
}

func (d *respDoor) encode(from, to int) request {
	var b []byte
	for i := from; i < to; i++ {
		key, blob := "row:"+strconv.Itoa(i), dataset.Blob(d.rows.Row(i))
		b = fmt.Appendf(b, "*4\r\n$4\r\nHSET\r\n$%d\r\n%s\r\n$1\r\nv\r\n$%d\r\n", len(key), key, len(blob))
		b = append(append(b, blob...), "\r\n"...)
	}
	return request{b, to - from}
}

// put sends a pipeline over the client's own connection and reads all replies.
func (d *respDoor) put(ctx context.Context, client int, r request) (err error) {
	c := &d.loaders[client]
	if c.nc == nil {
		if c.nc, err = new(net.Dialer).DialContext(ctx, "tcp", d.s.proc.RESP); err != nil {
			return err
		}
		c.in = bufio.NewReader(c.nc)
	}
	if _, err := c.nc.Write(r.body); err != nil {
		return err
	}
	for range r.rows {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if string(line) != ":1\r\n" {
			return fmt.Errorf("HSET is answered by %q", line)
		}
	}
	return nil
}

// nearest asks for the k nearest. There is no exact search over a graph: a wide beam stands for it.
func (d *respDoor) nearest(ctx context.Context, v []float32, k int, exact bool) ([]int, error) {
	beam := ""
	if exact {
		beam = " EF_RUNTIME 500"
	}
	answer, err := d.client.Do(ctx, "FT.SEARCH", collection, fmt.Sprintf("*=>[KNN %d @v $q%s]", k, beam),
		"PARAMS", 2, "q", dataset.Blob(v), "NOCONTENT", "LIMIT", 0, k, "DIALECT", 2).Slice()
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	ids := []int{}
	for _, x := range answer[1:] {
		key, _ := x.(string)
		id, err := strconv.Atoi(strings.TrimPrefix(key, "row:"))
		if err != nil {
			return nil, fmt.Errorf("FT.SEARCH found %q", key)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (d *respDoor) indexed(ctx context.Context) (int, bool, error) {
	info, err := d.info(ctx)
	if err != nil {
		return 0, false, err
	}
	waiting, err := strconv.Atoi(fmt.Sprint(info["mutation_queue_size"]))
	if err != nil {
		return 0, false, fmt.Errorf("FT.INFO: mutation_queue_size: %w", err)
	}
	rows, err := strconv.Atoi(fmt.Sprint(info["num_indexed_vectors"]))
	return rows, waiting == 0, err
}

func (d *respDoor) info(ctx context.Context) (map[string]any, error) {
	answer, err := d.client.Do(ctx, "FT.INFO", collection).Slice()
	if err != nil {
		return nil, err
	}
	info := map[string]any{}
	for i := 0; i+1 < len(answer); i += 2 {
		info[fmt.Sprint(answer[i])] = answer[i+1]
	}
	return info, nil
}

func (d *respDoor) rowsOf(ctx context.Context) (int, error) {
	info, err := d.info(ctx)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(fmt.Sprint(info["num_docs"]))
}

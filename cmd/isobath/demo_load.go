package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/isobath/isobath/cmd/isobath/demo"
	"github.com/isobath/isobath/internal/client"
)

// Names that the demo gives what it creates.
const (
	demoCollection = "programs"
	demoIndex      = "idx:programs"
	demoPrefix     = "program:"
)

// demoBatch is the number of programs in one request or pipeline.
const demoBatch = 500

// loadHTTP creates the collection with its payload indexes and upserts the programs.
func (d *demoRun) loadHTTP(ctx context.Context) error {
	path := "/collections/" + demoCollection
	var there struct{ Exists bool }
	if err := d.http.Call(ctx, http.MethodGet, path+"/exists", nil, &there); err != nil {
		return err
	}
	if !there.Exists {
		schema := map[string]any{"vectors": map[string]any{"size": demo.Dim, "distance": "Cosine"}}
		if err := d.http.Call(ctx, http.MethodPut, path, schema, nil); err != nil {
			return err
		}
	}
	for _, field := range [][2]string{{"tags", "keyword"}, {"section", "keyword"}, {"size_kb", "integer"}} {
		index := map[string]any{"field_name": field[0], "field_schema": field[1]}
		if err := d.http.Call(ctx, http.MethodPut, path+"/index?wait=true", index, nil); err != nil {
			return err
		}
	}
	bar := newProgress(d.progress, "load over HTTP", int64(len(d.programs)))
	defer bar.Abandon()
	for from := 0; from < len(d.programs); from += demoBatch {
		part := d.programs[from:min(from+demoBatch, len(d.programs))]
		points := make([]map[string]any, len(part))
		for i, p := range part {
			points[i] = map[string]any{"id": from + i + 1, "vector": p.Vector, "payload": p}
		}
		if err := d.http.Call(ctx, http.MethodPut, path+"/points?wait=true", map[string]any{"points": points}, nil); err != nil {
			return err
		}
		bar.Add(len(part), int64(len(d.programs)))
	}
	bar.Done()
	return nil
}

// dialRESP connects and authenticates.
func (d *demoRun) dialRESP(ctx context.Context) (*client.RESP, error) {
	c, err := client.DialRESP(ctx, d.respAddr)
	if err != nil || d.password == "" {
		return c, err
	}
	if _, err := c.Do("AUTH", d.password); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// loadRESP creates the index and writes one hash a program, in pipelines.
func (d *demoRun) loadRESP(ctx context.Context) error {
	c, err := d.dialRESP(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Do("FT.CREATE", demoIndex, "ON", "HASH", "PREFIX", 1, demoPrefix, "SCHEMA",
		"name", "TAG", "section", "TAG", "tags", "TAG", "SEPARATOR", ",", "size_kb", "NUMERIC",
		"vector", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", demo.Dim, "DISTANCE_METRIC", "COSINE")
	var refused client.RESPError
	if err != nil && (!errors.As(err, &refused) || !strings.Contains(err.Error(), "already exists")) {
		return fmt.Errorf("FT.CREATE: %w", err)
	}
	bar := newProgress(d.progress, "load over RESP", int64(len(d.programs)))
	defer bar.Abandon()
	for from := 0; from < len(d.programs); from += demoBatch {
		part := d.programs[from:min(from+demoBatch, len(d.programs))]
		for _, p := range part {
			c.Add("HSET", demoPrefix+p.Name, "name", p.Name, "summary", p.Summary, "section", p.Section,
				"size_kb", p.SizeKB, "tags", strings.Join(p.Tags, ","), "vector", blob(p.Vector))
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for _, p := range part {
			if _, err := c.Receive(); err != nil {
				return fmt.Errorf("HSET of %s: %w", p.Name, err)
			}
		}
		bar.Add(len(part), int64(len(d.programs)))
	}
	bar.Done()
	return nil
}

// blob returns the vector as RESP clients send it: float32, little-endian.
func blob(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

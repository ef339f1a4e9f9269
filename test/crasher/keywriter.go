package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/internal/dataset"
	"github.com/isobath/isobath/test/oracle"
)

type (
	keyOp     = oracle.Op[string, oracle.Hash]
	keyChange = oracle.Change[string, oracle.Hash]
)

const docDim = 16

// ftIndexes cover the hashes of all key writers.
var ftIndexes = [][]any{
	{"FT.CREATE", "docs", "ON", "HASH", "PREFIX", 1, "doc:", "SCHEMA",
		"vec", "AS", "v", "VECTOR", "HNSW", 10, "TYPE", "FLOAT32", "DIM", docDim, "DISTANCE_METRIC", "COSINE", "M", 8, "EF_CONSTRUCTION", 40,
		"lane", "TAG", "tag", "TAG", "num", "NUMERIC"},
	{"FT.CREATE", "flat", "ON", "HASH", "PREFIX", 1, "doc:", "SCHEMA",
		"vec", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", docDim, "DISTANCE_METRIC", "L2", "num", "NUMERIC"},
}

// keyWriter is one client that writes keys over RESP, one pipeline at a time.
type keyWriter struct {
	number int
	rng    *rand.Rand
	lane   *oracle.Lane[string, oracle.Hash]
	keys   int // size of its key space
	seq    int
}

func newKeyWriter(number int, seed uint64) *keyWriter {
	return &keyWriter{
		number: number, rng: rand.New(rand.NewPCG(seed, 1000+uint64(number))),
		lane: oracle.NewLane[string](oracle.Hash.Equal), keys: 900,
	}
}

// dial returns a client that never repeats a command by itself. Odd lanes speak RESP2.
func dial(addr string, number int) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, MaxRetries: -1, PoolSize: 2, Protocol: 3 - number%2,
		DisableIdentity: true, ContextTimeoutEnabled: true,
	})
}

func (w *keyWriter) key(n int) string { return fmt.Sprintf("doc:%d:%d", w.number, n) }
func (w *keyWriter) random() string   { return w.key(w.rng.IntN(w.keys)) }

// command is one command, what it does and what it must answer.
type command struct {
	args []any
	op   keyOp
	want any // int64, string or nil for anything
}

// step sends a pipeline or a transaction.
func (w *keyWriter) step(ctx context.Context, c *redis.Client) error {
	if w.rng.IntN(4) == 0 {
		return w.transaction(ctx, c)
	}
	n := logUniform(w.rng, 1000)
	pipe := c.Pipeline()
	sent := make([]command, n)
	for i := range sent {
		sent[i] = w.choose()
		w.lane.Begin(sent[i].op)
		pipe.Do(ctx, sent[i].args...)
	}
	replies, err := pipe.Exec(ctx)
	if len(replies) != n && err == nil {
		return fmt.Errorf("pipeline of %d answered %d", n, len(replies))
	}
	for i, r := range replies {
		if err := r.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("command %d of %d, %v: %w", i, n, sent[i].args[0], err)
		}
		w.lane.Acked(1)
		if err := sent[i].judge(r); err != nil {
			return err
		}
	}
	return err
}

func (c *command) judge(r redis.Cmder) error {
	cmd, ok := r.(*redis.Cmd)
	if !ok || c.want == nil {
		return nil
	}
	if got := cmd.Val(); got != c.want {
		return &wrong{fmt.Errorf("%v %v answered %v, want %v", c.args[0], c.args[1], got, c.want)}
	}
	return nil
}

// transaction writes the two keys that must agree, and a few others, in one MULTI/EXEC.
func (w *keyWriter) transaction(ctx context.Context, c *redis.Client) error {
	w.seq++
	value := strconv.Itoa(w.seq)
	whole := keyOp{What: "transaction " + value}
	pipe := c.TxPipeline()
	add := func(args []any, changes ...keyChange) {
		pipe.Do(ctx, args...)
		whole.Changes = append(whole.Changes, changes...)
	}
	for _, side := range []string{"a", "b"} {
		key := w.pair(side)
		add([]any{"SET", key, value}, keyChange{Key: key, Value: oracle.Hash{"": value}})
		for range w.rng.IntN(20) {
			key, h := w.random(), w.document()
			add([]any{"DEL", key}, keyChange{Key: key, Gone: true})
			add(hset(key, h), keyChange{Key: key, Value: h})
		}
	}
	w.lane.Begin(whole)
	replies, err := pipe.Exec(ctx)
	if err != nil {
		return fmt.Errorf("EXEC: %w", err)
	}
	for _, r := range replies {
		if err := r.Err(); err != nil {
			return fmt.Errorf("reply inside EXEC: %w", err)
		}
	}
	w.lane.Acked(1)
	return nil
}

func (w *keyWriter) pair(side string) string { return fmt.Sprintf("pair:{%d}:%s", w.number, side) }

// document returns the fields of a fresh hash.
func (w *keyWriter) document() oracle.Hash {
	h := oracle.Hash{
		"vec":  string(dataset.Blob(randomVector(w.rng, docDim))),
		"lane": strconv.Itoa(w.number),
		"tag":  []string{"red", "green", "blue", "red,green"}[w.rng.IntN(4)],
		"num":  strconv.Itoa(w.rng.IntN(1000)),
		"seq":  strconv.Itoa(w.seq),
	}
	switch w.rng.IntN(40) {
	case 0:
		h["vec"] = "not a vector" // stored, and left out of the index
	case 1:
		delete(h, "vec")
	case 2, 3, 4, 5, 6, 7, 8, 9:
		h["blob"] = strings.Repeat("\x00\xff", w.rng.IntN(2000)) // most too long for badger
	}
	return h
}

func hset(key string, h oracle.Hash) []any {
	args := []any{"HSET", key}
	for field, value := range h {
		args = append(args, field, value)
	}
	return args
}

func (w *keyWriter) choose() command {
	w.seq++
	key := w.random()
	old, exists := w.lane.Latest()[key]
	switch k := w.rng.IntN(100); {
	case k < 50 || !exists:
		return w.update("HSET", key, old, w.document())
	case k < 60:
		return w.update("HSET", key, old, oracle.Hash{"num": strconv.Itoa(w.rng.IntN(1000)), "seq": strconv.Itoa(w.seq)})
	case k < 65:
		return w.update("HSET", key, old, oracle.Hash{"vec": string(dataset.Blob(randomVector(w.rng, docDim)))})
	case k < 75:
		return w.increment(key, old)
	case k < 80:
		return w.dropField(key, old)
	case k < 85:
		return w.rename(key, old)
	default:
		return w.remove()
	}
}

func (w *keyWriter) update(name, key string, old, fields oracle.Hash) command {
	merged := maps.Clone(old)
	if merged == nil {
		merged = oracle.Hash{}
	}
	added := int64(0)
	for field, value := range fields {
		if _, there := merged[field]; !there {
			added++
		}
		merged[field] = value
	}
	return command{hset(key, fields), keyOp{What: name, Changes: []keyChange{{Key: key, Value: merged}}}, added}
}

func (w *keyWriter) increment(key string, old oracle.Hash) command {
	by := w.rng.IntN(10) - 3
	n, _ := strconv.Atoi(old["num"]) // absent counts as 0
	merged := maps.Clone(old)
	merged["num"] = strconv.Itoa(n + by)
	op := keyOp{What: "HINCRBY", Changes: []keyChange{{Key: key, Value: merged}}}
	return command{[]any{"HINCRBY", key, "num", by}, op, int64(n + by)}
}

// dropField removes a field; a hash without fields is gone.
func (w *keyWriter) dropField(key string, old oracle.Hash) command {
	field := []string{"num", "tag", "vec", "none"}[w.rng.IntN(4)]
	rest := maps.Clone(old)
	_, there := rest[field]
	delete(rest, field)
	want := int64(0)
	if there {
		want = 1
	}
	op := keyOp{What: "HDEL", Changes: []keyChange{{Key: key, Value: rest, Gone: len(rest) == 0}}}
	return command{[]any{"HDEL", key, field}, op, want}
}

func (w *keyWriter) rename(key string, old oracle.Hash) command {
	to := w.random()
	op := keyOp{What: "RENAME", Changes: []keyChange{{Key: key, Gone: true}, {Key: to, Value: old}}}
	return command{[]any{"RENAME", key, to}, op, "OK"}
}

// remove deletes up to ten keys with one command.
func (w *keyWriter) remove() command {
	args := []any{"DEL"}
	op := keyOp{What: "DEL"}
	existed := map[string]bool{}
	for range 1 + w.rng.IntN(10) {
		key := w.random()
		args = append(args, key)
		op.Changes = append(op.Changes, keyChange{Key: key, Gone: true})
		if _, there := w.lane.Latest()[key]; there {
			existed[key] = true
		}
	}
	return command{args, op, int64(len(existed))}
}

func (w *keyWriter) resolve(found map[string]oracle.Hash) (kept int, err error) {
	if kept, err = w.lane.Resolve(found); err != nil {
		return 0, fmt.Errorf("keys, lane %d: %w", w.number, err)
	}
	return kept, nil
}

// ownerOf returns the lane that a key belongs to.
func ownerOf(key string) (lane int, ok bool) {
	rest, isDoc := strings.CutPrefix(key, "doc:")
	if !isDoc {
		var isPair bool
		if rest, isPair = strings.CutPrefix(key, "pair:{"); !isPair {
			return 0, false
		}
	}
	end := strings.IndexAny(rest, ":}")
	if end < 0 {
		return 0, false
	}
	lane, err := strconv.Atoi(rest[:end])
	return lane, err == nil
}

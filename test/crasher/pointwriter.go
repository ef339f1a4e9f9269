package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/isobath/isobath/test/oracle"
)

type (
	pointOp     = oracle.Op[string, oracle.Point]
	pointChange = oracle.Change[string, oracle.Point]
)

// pointWriter is one client that writes points over HTTP, one request at a time.
type pointWriter struct {
	space  *space
	number int // of its lane
	rng    *rand.Rand
	lane   *oracle.Lane[string, oracle.Point]
	ids    int // size of its ID space
	seq    int
}

func newPointWriter(s *space, number int, seed uint64) *pointWriter {
	return &pointWriter{
		space: s, number: number, rng: rand.New(rand.NewPCG(seed, uint64(number))),
		lane: oracle.NewLane[string](oracle.Point.Equal), ids: 2500,
	}
}

// call is one request with what it does.
type call struct {
	method, path string
	body         []byte
	ops          []pointOp
}

// step sends one request.
func (w *pointWriter) step(ctx context.Context, r *rest) error {
	c := w.choose()
	wait := w.rng.IntN(2) == 0
	path := "/collections/" + w.space.name + c.path + "?wait=" + strconv.FormatBool(wait)
	for _, op := range c.ops {
		w.lane.Begin(op)
	}
	if err := r.do(ctx, c.method, path, c.body, nil); err != nil {
		return fmt.Errorf("%s: %w", c.ops[0].What, err)
	}
	w.lane.Acked(len(c.ops))
	if wait && w.rng.IntN(8) == 0 {
		return w.readBack(ctx, r)
	}
	return nil
}

// readBack looks at what is acknowledged and visible: a count by filter and some points by ID.
func (w *pointWriter) readBack(ctx context.Context, r *rest) error {
	lane := strconv.Itoa(w.number)
	want := 0
	for _, p := range w.lane.Latest() {
		if p.Payload["lane"] == lane {
			want++
		}
	}
	got, err := r.count(ctx, w.space.name, `{"must":{"key":"lane","match":{"value":`+lane+`}}}`)
	if err != nil {
		return err
	}
	if got != want {
		return &wrong{fmt.Errorf("lane %d: count by filter is %d, model has %d", w.number, got, want)}
	}
	ids := w.some(20)
	if len(ids) == 0 {
		return nil
	}
	return w.compare(ctx, r, ids)
}

// compare retrieves points by ID; half of the IDs asked for may be deleted ones.
func (w *pointWriter) compare(ctx context.Context, r *rest, ids []string) error {
	var points []pointDTO
	body := `{"with_payload":true,"with_vector":true,"ids":` + idList(ids) + `}`
	if err := r.do(ctx, "POST", "/collections/"+w.space.name+"/points", []byte(body), &points); err != nil {
		return err
	}
	found := map[string]oracle.Point{}
	for _, d := range points {
		id, p, err := w.space.parse(d)
		if err != nil {
			return err
		}
		found[id] = p
	}
	for _, id := range ids {
		want, wanted := w.lane.Latest()[id]
		got, there := found[id]
		if wanted != there || wanted && !want.Equal(got) {
			return &wrong{fmt.Errorf("retrieve %s: there %t, wanted %t\n  got  %+v\n  want %+v", id, there, wanted, got, want)}
		}
	}
	return nil
}

// some returns up to n different IDs of the lane's space, existing or not.
func (w *pointWriter) some(n int) []string {
	n = min(n, w.ids)
	seen := make(map[int]bool, n)
	ids := make([]string, 0, n)
	for len(ids) < n {
		i := w.rng.IntN(w.ids)
		if !seen[i] {
			seen[i] = true
			ids = append(ids, pointID(w.number, i))
		}
	}
	return ids
}

// existing returns up to n IDs that exist.
func (w *pointWriter) existing(n int) []string {
	latest := w.lane.Latest()
	return slices.DeleteFunc(w.some(n), func(id string) bool { _, ok := latest[id]; return !ok })
}

// size returns a batch size: small ones are as likely as large ones.
func (w *pointWriter) size() int { return logUniform(w.rng, 1000) }

func logUniform(rng *rand.Rand, most int) int {
	n := 1
	for n < most && rng.IntN(4) > 0 {
		n = n*2 + rng.IntN(2)
	}
	return min(n, most)
}

func (w *pointWriter) choose() call {
	w.seq++
	switch k := w.rng.IntN(100); {
	case k < 45 || len(w.lane.Latest()) < 50:
		body, op := w.upsert()
		return call{"PUT", "/points", body, []pointOp{op}}
	case k < 57:
		ids := w.some(min(w.size(), 300))
		return call{"POST", "/points/delete", []byte(`{"points":` + idList(ids) + `}`), []pointOp{w.remove(ids)}}
	case k < 62:
		return w.deleteByFilter()
	case k < 72:
		return w.setPayload()
	case k < 77:
		return w.setPayloadByFilter()
	case k < 81:
		return w.overwritePayload()
	case k < 86:
		return w.deleteKeys()
	case k < 88:
		return w.clearPayload()
	case k < 93:
		return w.updateVectors()
	default:
		return w.batch()
	}
}

func (w *pointWriter) upsert() ([]byte, pointOp) {
	n := w.size()
	op := pointOp{What: fmt.Sprintf("upsert %d", n)}
	body := []byte(`{"points":[`)
	add := func(id string, n int, payload oracle.Payload) {
		if len(op.Changes) > 0 {
			body = append(body, ',')
		}
		sent := w.space.randomVectors(w.rng)
		body = w.space.pointJSON(body, id, sent, payload)
		op.Changes = append(op.Changes, pointChange{Key: id, Value: oracle.Point{Vectors: w.space.stored(sent), Payload: payload}})
	}
	for range n { // an ID may come twice: the later one wins
		i := w.rng.IntN(w.ids)
		add(pointID(w.number, i), i, randomPayload(w.rng, w.number, i, w.seq))
	}
	if w.rng.IntN(3) == 0 {
		for i := range 2 {
			add(pointID(w.number, twinN+i), twinN+i, randomPayload(w.rng, w.number, twinN+i, w.seq).With(oracle.Payload{"twin": strconv.Itoa(w.seq)}))
		}
	}
	return append(body, `]}`...), op
}

func (w *pointWriter) remove(ids []string) pointOp {
	op := pointOp{What: fmt.Sprintf("delete %d", len(ids))}
	for _, id := range ids {
		op.Changes = append(op.Changes, pointChange{Key: id, Gone: true})
	}
	return op
}

// slice picks a narrow range of n and returns its filter and the matching IDs.
func (w *pointWriter) slice() (filter string, ids []string) {
	from := w.rng.IntN(w.ids)
	to := from + w.rng.IntN(w.ids/20)
	filter = fmt.Sprintf(`{"must":[{"key":"lane","match":{"value":%d}},{"key":"n","range":{"gte":%d,"lte":%d}}]}`, w.number, from, to)
	lane := strconv.Itoa(w.number)
	for id, p := range w.lane.Latest() {
		if p.Payload["lane"] != lane {
			continue
		}
		if n, err := strconv.Atoi(p.Payload["n"]); err == nil && n >= from && n <= to {
			ids = append(ids, id)
		}
	}
	return filter, ids
}

func (w *pointWriter) deleteByFilter() call {
	filter, ids := w.slice()
	op := w.remove(ids)
	op.What = "delete by filter"
	return call{"POST", "/points/delete", []byte(`{"filter":` + filter + `}`), []pointOp{op}}
}

// change returns the operation that gives points other payloads.
func (w *pointWriter) change(what string, ids []string, fn func(oracle.Payload) oracle.Payload) []pointOp {
	op := pointOp{What: fmt.Sprintf("%s of %d", what, len(ids))}
	for _, id := range ids {
		p := w.lane.Latest()[id]
		op.Changes = append(op.Changes, pointChange{Key: id, Value: oracle.Point{Vectors: p.Vectors, Payload: fn(p.Payload)}})
	}
	return []pointOp{op}
}

func (w *pointWriter) patch() oracle.Payload {
	p := oracle.Payload{"patched": strconv.Itoa(w.seq), "tag": strconv.Quote(tags[w.rng.IntN(len(tags))])}
	if w.rng.IntN(2) == 0 {
		p["deep"] = "null" // removes it
	}
	return p
}

func (w *pointWriter) setPayload() call {
	ids, patch := w.existing(w.size()), w.patch()
	body := `{"payload":` + string(patch.JSON()) + `,"points":` + idList(ids) + `}`
	ops := w.change("set payload", ids, func(p oracle.Payload) oracle.Payload { return p.With(patch) })
	return call{"POST", "/points/payload", []byte(body), ops}
}

func (w *pointWriter) setPayloadByFilter() call {
	filter, ids := w.slice()
	patch := w.patch()
	body := `{"payload":` + string(patch.JSON()) + `,"filter":` + filter + `}`
	ops := w.change("set payload by filter", ids, func(p oracle.Payload) oracle.Payload { return p.With(patch) })
	return call{"POST", "/points/payload", []byte(body), ops}
}

func (w *pointWriter) overwritePayload() call {
	ids := w.existing(min(w.size(), 100))
	payload := randomPayload(w.rng, w.number, w.rng.IntN(w.ids), w.seq)
	body := `{"payload":` + string(payload.JSON()) + `,"points":` + idList(ids) + `}`
	ops := w.change("overwrite payload", ids, func(oracle.Payload) oracle.Payload { return payload })
	return call{"PUT", "/points/payload", []byte(body), ops}
}

func (w *pointWriter) deleteKeys() call {
	ids := w.existing(min(w.size(), 300))
	body := `{"keys":["tag","big","none"],"points":` + idList(ids) + `}`
	ops := w.change("delete payload keys", ids, func(p oracle.Payload) oracle.Payload { return p.Without("tag", "big") })
	return call{"POST", "/points/payload/delete", []byte(body), ops}
}

func (w *pointWriter) clearPayload() call {
	ids := w.existing(20)
	ops := w.change("clear payload", ids, func(oracle.Payload) oracle.Payload { return oracle.Payload{} })
	return call{"POST", "/points/payload/clear", []byte(`{"points":` + idList(ids) + `}`), ops}
}

// updateVectors sets some named vectors and keeps the others and the payload.
func (w *pointWriter) updateVectors() call {
	ids := w.existing(min(w.size(), 300))
	op := pointOp{What: fmt.Sprintf("update vectors of %d", len(ids))}
	body := []byte(`{"points":[`)
	for i, id := range ids {
		if i > 0 {
			body = append(body, ',')
		}
		shape := w.space.vectors[w.rng.IntN(len(w.space.vectors))]
		sent := map[string][]float32{shape.name: randomVector(w.rng, shape.dim)}
		full := w.space.pointJSON(nil, id, sent, oracle.Payload{})
		body = append(append(body, full[:len(full)-len(`,"payload":{}}`)]...), '}')
		old := w.lane.Latest()[id]
		vectors := maps.Clone(old.Vectors)
		maps.Copy(vectors, w.space.stored(sent))
		op.Changes = append(op.Changes, pointChange{Key: id, Value: oracle.Point{Vectors: vectors, Payload: old.Payload}})
	}
	if len(ids) == 0 { // an empty list is an error
		body, op := w.upsert()
		return call{"PUT", "/points", body, []pointOp{op}}
	}
	return call{"PUT", "/points/vectors", append(body, `]}`...), []pointOp{op}}
}

// batch sends three operations in one request; each is whole for itself.
func (w *pointWriter) batch() call {
	upsert, first := w.upsert()
	ids := w.some(50)
	second := w.remove(ids)
	body := []byte(`{"operations":[{"upsert":`)
	body = append(append(body, upsert...), `},{"delete":{"points":`...)
	body = append(append(body, idList(ids)...), `}},{"upsert":`...)
	upsert, third := w.upsert()
	body = append(append(body, upsert...), `}]}`...)
	return call{"POST", "/points/batch", body, []pointOp{first, second, third}}
}

// resolve takes over what is there after a restart.
func (w *pointWriter) resolve(found map[string]oracle.Point) (kept int, err error) {
	if kept, err = w.lane.Resolve(found); err != nil {
		return 0, fmt.Errorf("%s, lane %d: %w", w.space.name, w.number, err)
	}
	return kept, nil
}

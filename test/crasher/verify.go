package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/isobath/isobath/internal/dataset"
	"github.com/isobath/isobath/test/oracle"
)

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

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/isobath/isobath/internal/dataset"
	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/isobath/isobath/test/oracle"
)

// space is a collection and the shape of its vectors.
type space struct {
	name    string
	vectors []vectorShape
	create  string // body
}

type vectorShape struct {
	name   string
	dim    int
	cosine bool
}

// Graphs are built from a few hundred rows on, so that all parts of an index are in play.
const small = `"hnsw_config":{"m":8,"ef_construct":40,"full_scan_threshold":10},"optimizers_config":{"indexing_threshold":20}`

var spaces = []space{
	{
		name:    "plain",
		vectors: []vectorShape{{"", 24, true}},
		create:  `{"vectors":{"size":24,"distance":"Cosine"},` + small + `}`,
	},
	{
		name:    "named",
		vectors: []vectorShape{{"a", 12, false}, {"b", 5, false}},
		create:  `{"vectors":{"a":{"size":12,"distance":"Euclid"},"b":{"size":5,"distance":"Dot"}},` + small + `}`,
	},
}

var indexes = []string{
	`{"field_name":"lane","field_schema":"integer"}`,
	`{"field_name":"n","field_schema":"integer"}`,
	`{"field_name":"tag","field_schema":"keyword"}`,
	`{"field_name":"ok","field_schema":"bool"}`,
}

const (
	laneIDs = 1_000_000 // IDs of a lane begin at lane*laneIDs
	twinN   = 900_000   // the two points that only whole upserts change
)

var tags = []string{"red", "green", "blue", "café", "a b", "x-y"}

// pointID returns the ID of point n of a lane as JSON text without quotes. One in five is a UUID.
func pointID(lane, n int) string {
	if n%5 == 4 {
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", lane+1, n)
	}
	return strconv.Itoa(lane*laneIDs + n)
}

// laneOf tells whose an ID is.
func laneOf(id string) (int, error) {
	if head, _, uuid := strings.Cut(id, "-"); uuid {
		n, err := strconv.ParseInt(head, 16, 64)
		return int(n) - 1, err
	}
	n, err := strconv.Atoi(id)
	return n / laneIDs, err
}

func quoteID(id string) string {
	if strings.Contains(id, "-") {
		return `"` + id + `"`
	}
	return id
}

func idList(ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = quoteID(id)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

func randomVector(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	if rng.IntN(200) == 0 {
		return v // zero: kept as it is
	}
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// randomVectors returns what a client sends for one point of a space.
func (s *space) randomVectors(rng *rand.Rand) map[string][]float32 {
	vs := map[string][]float32{}
	for _, shape := range s.vectors {
		if rng.IntN(20) > 0 { // else the point lacks it
			vs[shape.name] = randomVector(rng, shape.dim)
		}
	}
	return vs
}

// stored returns vectors as they are kept: normalised for cosine.
func (s *space) stored(sent map[string][]float32) map[string][]float32 {
	kept := map[string][]float32{}
	for _, shape := range s.vectors {
		if v, ok := sent[shape.name]; ok {
			v = slices.Clone(v)
			if shape.cosine {
				distance.Normalize(v)
			}
			kept[shape.name] = v
		}
	}
	return kept
}

// pointJSON returns a point of an upsert.
func (s *space) pointJSON(b []byte, id string, vectors map[string][]float32, payload oracle.Payload) []byte {
	b = append(append(append(b, `{"id":`...), quoteID(id)...), `,"vector":`...)
	if v, ok := vectors[""]; ok {
		b = dataset.AppendJSON(b, v)
	} else {
		b = append(b, '{')
		for i, shape := range s.vectors {
			if v, ok := vectors[shape.name]; ok {
				if i > 0 && b[len(b)-1] != '{' {
					b = append(b, ',')
				}
				b = dataset.AppendJSON(append(append(append(b, '"'), shape.name...), '"', ':'), v)
			}
		}
		b = append(b, '}')
	}
	return append(append(append(b, `,"payload":`...), payload.JSON()...), '}')
}

// parse reads a point that the server shows.
func (s *space) parse(d pointDTO) (id string, p oracle.Point, err error) {
	id = strings.Trim(string(d.ID), `"`)
	p.Payload = oracle.Payload{}
	if len(d.Payload) > 0 && !bytes.Equal(d.Payload, []byte("null")) {
		if p.Payload, err = oracle.ParsePayload(d.Payload); err != nil {
			return "", oracle.Point{}, err
		}
	}
	p.Vectors = map[string][]float32{}
	switch {
	case len(d.Vector) == 0 || string(d.Vector) == "null":
	case d.Vector[0] == '[':
		var v []float32
		err = json.Unmarshal(d.Vector, &v)
		p.Vectors[""] = v
	default:
		err = json.Unmarshal(d.Vector, &p.Vectors)
	}
	if err != nil {
		return "", oracle.Point{}, fmt.Errorf("point %s: vector: %w", id, err)
	}
	return id, p, nil
}

// randomPayload returns the payload of point n of a lane.
func randomPayload(rng *rand.Rand, lane, n, seq int) oracle.Payload {
	p := oracle.Payload{
		"lane": strconv.Itoa(lane),
		"n":    strconv.Itoa(n),
		"seq":  strconv.Itoa(seq),
		"tag":  strconv.Quote(tags[rng.IntN(len(tags))]),
		"ok":   strconv.FormatBool(rng.IntN(2) == 0),
	}
	switch rng.IntN(6) {
	case 0:
		p["big"] = strconv.FormatUint(rng.Uint64(), 10)
	case 1:
		p["float"] = "1.0"
	case 2:
		p["deep"] = `{"a":[1,{"b":"c"}],"n":null}`
	case 3:
		p["text"] = strconv.Quote(strings.Repeat("long ", rng.IntN(600)))
	}
	return p
}

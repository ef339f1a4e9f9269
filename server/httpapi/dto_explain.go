package httpapi

import "github.com/isobath/isobath/engine"

// explained says how one query was answered: it goes beside the result when explain=true is asked for.
type explained struct {
	Plan         engine.Plan `json:"plan"`
	Fallback     bool        `json:"fallback"`       // the walk found too few and a scan followed
	Matches      int         `json:"filter_matches"` // of the filter, as far as indexes tell
	Evaluated    int         `json:"payloads_evaluated"`
	Sources      int         `json:"segments_searched"`
	Visited      int         `json:"nodes_visited"` // of graphs; without a vector: points looked at
	Hops         int         `json:"hops"`
	Distances    int         `json:"distances"`
	Scanned      int         `json:"scanned"`
	Rescored     int         `json:"rescored"`
	RowsRead     int         `json:"rows_read"`
	RowsCold     int         `json:"rows_from_files"`
	CodeBytes    int64       `json:"code_bytes_read"`
	RowBytesRead int64       `json:"row_bytes_read"`
	Seconds      stageTimes  `json:"seconds"`
}

type stageTimes struct {
	Filter  float64 `json:"filter"`
	Index   float64 `json:"index"`
	Walk    float64 `json:"walk"`
	Rescore float64 `json:"rescore"`
	Fetch   float64 `json:"fetch"`
}

// explainBy makes what a read did the explanation of the request, if it asks for one.
func (r *request) explainBy(s *engine.SearchStats) {
	if r.explain {
		r.explanation = explanation(s)
	}
}

func explanation(s *engine.SearchStats) explained {
	return explained{
		Plan: s.Plan, Fallback: s.Fallback, Matches: s.Matches, Evaluated: s.Evaluated, Sources: s.Sources, Visited: s.Visited, Hops: s.Hops,
		Distances: s.Distances, Scanned: s.Scanned, Rescored: s.Rescored, RowsRead: s.RowsRead, RowsCold: s.RowsCold, CodeBytes: s.Coded, RowBytesRead: s.BytesRead,
		Seconds: stageTimes{s.Filter.Seconds(), s.Index.Seconds(), s.Walk.Seconds(), s.Rescore.Seconds(), s.Fetch.Seconds()},
	}
}

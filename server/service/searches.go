package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/isobath/isobath/engine"
)

var (
	descSearches        = describe("isobath_searches_total", "searches by vector, scrolls and counts, by the plan that was chosen", "plan")
	descSearchFailures  = describe("isobath_search_failures_total", "searches, scrolls and counts that ended with an error")
	descSearchFallbacks = describe("isobath_search_fallbacks_total", "walks that found too few and were followed by a scan")
	descSearchMatches   = describe("isobath_search_filter_matches_total", "matches of filters, as far as payload indexes tell")
	descSearchSources   = describe("isobath_search_segments_total", "segments and parts of the indexes searched")
	descSearchVisited   = describe("isobath_search_nodes_visited_total", "nodes seen by walks, points looked at by scrolls")
	descSearchHops      = describe("isobath_search_hops_total", "nodes expanded by walks")
	descSearchDistances = describe("isobath_search_distances_total", "distances computed on codes, by stage, and on rows", "stage")
	descSearchRows      = describe("isobath_search_rows_read_total", "rows read")
	descSearchRowsCold  = describe("isobath_search_rows_from_files_total", "candidates whose rows were not in memory")
	descSearchBytes     = describe("isobath_search_bytes_read_total", "bytes of codes read, and of rows read from files", "kind")
	descSearchPayloads  = describe("isobath_search_payloads_evaluated_total", "payloads read for conditions without an index")
	descSearchIndex     = describe("isobath_search_index_seconds_total", "time of searches in the index, walks, rescoring and conditions without an index included")
	descGraphRows       = describe("isobath_graph_inserts_total", "rows that graphs took, of tails and in merges")
	descGraphDistances  = describe("isobath_graph_insert_distances_total", "distances computed on codes for these")
	descSearchSeconds   = describe("isobath_search_stage_seconds_total", "time of searches by stage", "stage")
)

// collectCounters sends what all searches and the building of graphs did since the start.
func collectCounters(out chan<- prometheus.Metric, st *engine.Stats) {
	t := &st.Searches
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	counter(descGraphRows, float64(st.GraphRows))
	counter(descGraphDistances, float64(st.GraphDistances))
	for plan, n := range t.Plans {
		counter(descSearches, float64(n), string(plan))
	}
	counter(descSearchFailures, float64(t.Failed))
	counter(descSearchFallbacks, float64(t.Fallbacks))
	counter(descSearchMatches, float64(t.Matches))
	counter(descSearchSources, float64(t.Sources))
	counter(descSearchVisited, float64(t.Visited))
	counter(descSearchHops, float64(t.Hops))
	counter(descSearchDistances, float64(t.Distances-t.Scanned), "walk")
	counter(descSearchDistances, float64(t.Scanned), "scan")
	counter(descSearchDistances, float64(t.Rescored), "rescore")
	counter(descSearchRows, float64(t.RowsRead))
	counter(descSearchRowsCold, float64(t.RowsCold))
	counter(descSearchBytes, float64(t.Coded), "codes")
	counter(descSearchBytes, float64(t.BytesRead), "rows")
	counter(descSearchPayloads, float64(t.Evaluated))
	counter(descSearchIndex, t.Index.Seconds())
	for stage, took := range map[string]time.Duration{"filter": t.Filter, "walk": t.Walk, "rescore": t.Rescore, "fetch": t.Fetch} {
		counter(descSearchSeconds, took.Seconds(), stage)
	}
}

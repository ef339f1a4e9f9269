package respapi

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/isobath/isobath/engine"
)

// infoSection is a section of INFO.
type infoSection struct {
	name  string
	extra bool // not part of a plain INFO
	write func(c *call, w *infoWriter)
}

var infoSections = []infoSection{
	{"server", false, infoServer},
	{"clients", false, infoClients},
	{"memory", false, infoMemory},
	{"persistence", false, infoPersistence},
	{"stats", false, infoStats},
	{"replication", false, infoReplication},
	{"cpu", false, infoCPU},
	{"modules", false, infoModules},
	{"commandstats", true, infoCommandStats},
	{"errorstats", false, infoErrorStats},
	{"latencystats", true, infoLatencyStats},
	{"cluster", false, infoCluster},
	{"keyspace", false, infoKeyspace},
	{"search", true, infoSearch},
}

// infoWriter collects the text of INFO.
type infoWriter struct {
	strings.Builder
	stats *engine.Stats // read once, when a section asks
}

func (w *infoWriter) section(name string) {
	if w.Len() > 0 {
		w.WriteString("\r\n")
	}
	fmt.Fprintf(w, "# %s\r\n", name)
}

// put writes alternating names and values.
func (w *infoWriter) put(pairs ...any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(w, "%v:%v\r\n", pairs[i], pairs[i+1])
	}
}

func (w *infoWriter) engineStats(c *call) *engine.Stats {
	if w.stats == nil {
		s := c.srv.engine.Stats()
		w.stats = &s
	}
	return w.stats
}

func cmdInfo(c *call) error {
	wanted := map[string]bool{}
	for _, a := range c.args[1:] {
		wanted[strings.ToLower(string(a))] = true
	}
	plain := len(wanted) == 0 || wanted["default"]
	everything := wanted["all"] || wanted["everything"]
	if err := c.sync(); err != nil {
		return err
	}
	var w infoWriter
	for _, s := range infoSections {
		if everything || plain && !s.extra || wanted[s.name] {
			s.write(c, &w)
		}
	}
	c.w.Verbatim("txt", w.String())
	return nil
}

func infoServer(c *call, w *infoWriter) {
	up := time.Since(c.srv.started)
	_, port := c.address()
	w.section("Server")
	w.put("redis_version", c.srv.version(), "redis_git_sha1", "00000000", "redis_git_dirty", 0, "redis_build_id", "0",
		"redis_mode", "standalone", "os", runtime.GOOS+" "+runtime.GOARCH, "arch_bits", strconv.IntSize,
		"go_version", runtime.Version(), "server_name", "isobath", "process_id", os.Getpid(), "run_id", c.srv.nodeID,
		"tcp_port", port, "server_time_usec", time.Now().UnixMicro(), "uptime_in_seconds", int64(up.Seconds()),
		"uptime_in_days", int64(up.Hours()/24), "hz", 10, "configured_hz", 10, "executable", "", "config_file", "")
}

func infoClients(c *call, w *infoWriter) {
	w.section("Clients")
	w.put("connected_clients", len(c.srv.clients()), "cluster_connections", 0, "maxclients", c.srv.config.Int("maxclients"),
		"blocked_clients", 0, "tracking_clients", 0, "pubsub_clients", 0)
}

func infoMemory(c *call, w *infoWriter) {
	s := w.engineStats(c)
	used := s.Memory["go_heap"] + s.Memory["store"] + s.Memory["filter_deltas"]
	limit := int64(c.srv.config.Int("maxmemory"))
	w.section("Memory")
	w.put("used_memory", used, "used_memory_human", human(used), "used_memory_rss", residentBytes(used),
		"used_memory_rss_human", human(residentBytes(used)), "used_memory_peak", used, "used_memory_peak_human", human(used),
		"maxmemory", limit, "maxmemory_human", human(limit), "maxmemory_policy", "noeviction", "mem_fragmentation_ratio", "1.00",
		"mem_allocator", "go")
	for _, name := range slices.Sorted(maps.Keys(s.Memory)) {
		w.put("isobath_memory_"+name, s.Memory[name])
	}
}

// human prints bytes as other servers do: 1.50M.
func human(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 40, "T"}, {1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if n >= u.bytes {
			return fmt.Sprintf("%.2f%s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}

func infoPersistence(c *call, w *infoWriter) {
	s := w.engineStats(c)
	saving := 0
	if c.srv.saving.Load() {
		saving = 1
	}
	status := "ok"
	if c.srv.engine.Failed() != nil {
		status = "err"
	}
	w.section("Persistence")
	w.put("loading", 0, "async_loading", 0, "rdb_changes_since_last_save", s.Sequenced-s.Checkpoint, "rdb_bgsave_in_progress", saving,
		"rdb_last_save_time", c.srv.lastSave.Load(), "rdb_last_bgsave_status", status, "rdb_last_bgsave_time_sec", int64(s.CheckpointTook.Seconds()),
		"aof_enabled", 1, "aof_rewrite_in_progress", 0, "aof_last_write_status", status, "aof_current_size", s.LogBytes,
		"isobath_sequenced", s.Sequenced, "isobath_durable", s.Durable, "isobath_published", s.Published,
		"isobath_checkpoint", s.Checkpoint, "isobath_replayed_at_start", s.Open.Replayed)
}

func infoStats(c *call, w *infoWriter) {
	st := &c.srv.stats
	rejected := st.rejected.Load()
	var failed int64
	for _, n := range st.errorCounts() {
		failed += n
	}
	w.section("Stats")
	w.put("total_connections_received", st.connections.Load(), "total_commands_processed", st.commands.Load(),
		"rejected_connections", st.refused.Load(), "expired_keys", 0, "evicted_keys", 0,
		"keyspace_hits", st.hits.Load(), "keyspace_misses", st.misses.Load(), "pubsub_channels", len(c.srv.broker.names(channelTopic, nil)),
		"pubsub_patterns", len(c.srv.broker.names(patternTopic, nil)),
		"acl_access_denied_auth", st.authFailures.Load(), "acl_access_denied_cmd", st.denied.Load(), "acl_access_denied_key", 0,
		"acl_access_denied_channel", 0, "total_error_replies", failed, "unexpected_error_replies", rejected,
		"protocol_errors", st.protocolErrors.Load())
}

func infoReplication(c *call, w *infoWriter) {
	w.section("Replication")
	w.put("role", "master", "connected_slaves", 0, "master_failover_state", "no-failover", "master_replid", c.srv.nodeID,
		"master_repl_offset", 0, "repl_backlog_active", 0)
}

func infoCPU(_ *call, w *infoWriter) {
	user, system := cpuTimes()
	w.section("CPU")
	w.put("used_cpu_sys", fmt.Sprintf("%.6f", system.Seconds()), "used_cpu_user", fmt.Sprintf("%.6f", user.Seconds()))
}

func infoModules(_ *call, w *infoWriter) {
	w.section("Modules")
	for _, m := range modules {
		usedBy := ""
		for _, other := range modules {
			if other.using == m.name {
				usedBy = other.name
			}
		}
		fmt.Fprintf(w, "module:name=%s,ver=%d,api=1,filters=0,usedby=[%s],using=[%s],options=[]\r\n", m.name, m.version, usedBy, m.using)
	}
}

func infoCommandStats(c *call, w *infoWriter) {
	w.section("Commandstats")
	row := func(cmd *command) {
		calls := cmd.stats.calls.Load()
		if calls == 0 {
			return
		}
		usec := cmd.stats.nanos.Load() / 1000
		fmt.Fprintf(w, "cmdstat_%s:calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=0,failed_calls=%d\r\n",
			cmd.name, calls, usec, float64(usec)/float64(calls), cmd.stats.failed.Load())
	}
	for _, cmd := range c.srv.table.sorted {
		row(cmd)
		for i := range cmd.subs {
			row(&cmd.subs[i])
		}
	}
}

func infoErrorStats(c *call, w *infoWriter) {
	w.section("Errorstats")
	counts := c.srv.stats.errorCounts()
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "errorstat_%s:count=%d\r\n", code, counts[code])
	}
}

func infoLatencyStats(_ *call, w *infoWriter) { w.section("Latencystats") }

func infoCluster(c *call, w *infoWriter) {
	enabled := 0
	if c.srv.config.Bool("report-cluster-enabled") {
		enabled = 1
	}
	w.section("Cluster")
	w.put("cluster_enabled", enabled)
}

func infoKeyspace(c *call, w *infoWriter) {
	w.section("Keyspace")
	for n := range c.srv.keys.Databases() {
		v := c.srv.keys.View(n)
		if size := v.DBSize(); size > 0 {
			fmt.Fprintf(w, "db%d:keys=%d,expires=%d,avg_ttl=0,subexpiry=0\r\n", n, size, v.Expires())
		}
		v.Close()
	}
}

// searchTotals are the sums over all FT indexes that INFO shows.
type searchTotals struct {
	indexes, plainFields, vectorFields, keys, vectors int
	codeBytes                                         int64
	queue                                             int
	backfills                                         int
	progress                                          float64
}

func (c *call) searchTotals() searchTotals {
	var t searchTotals
	for n := range c.srv.keys.Databases() {
		for _, name := range c.srv.engine.Indexes(n) {
			ix, err := c.srv.engine.Index(n, name)
			if err != nil {
				continue // dropped meanwhile
			}
			info := ix.Info()
			t.indexes++
			t.keys += info.Points
			t.vectorFields += len(info.Vectors)
			t.plainFields += len(info.Fields)
			for _, v := range info.Vectors {
				t.vectors += v.Vectors
				t.codeBytes += v.Memory.Total()
				if info.Status == engine.Yellow { // small indexes have no graph: their tail stays
					t.queue += v.Tail
				}
			}
			if info.Index != nil && info.Index.State == engine.BackfillInProgress {
				t.backfills++
				t.progress += info.Index.Progress
			}
		}
	}
	return t
}

func infoSearch(c *call, w *infoWriter) {
	t := c.searchTotals()
	disk := int64(0)
	for _, n := range w.engineStats(c).Disk {
		disk += n
	}
	w.section("search_memory")
	w.put("search_used_memory_bytes", t.codeBytes, "search_used_memory_human", humanize.IBytes(uint64(max(0, t.codeBytes))))
	w.section("search_index_stats")
	w.put("search_number_of_indexes", t.indexes, "search_num_fulltext_indexes", t.plainFields, "search_num_vector_indexes", t.vectorFields,
		"search_num_hash_indexes", t.indexes, "search_num_json_indexes", 0, "search_total_indexed_keys", t.keys,
		"search_total_indexed_vectors", t.vectors, "search_total_indexed_hash_keys", t.keys, "search_total_indexed_json_keys", 0,
		"search_total_index_size", t.codeBytes, "search_total_fulltext_index_size", 0, "search_total_vector_index_size", t.codeBytes,
		"search_max_index_lag_ms", 0, "search_number_of_attributes", t.plainFields+t.vectorFields,
		"search_total_indexed_documents", t.keys)
	activity := "NO_ACTIVITY"
	if t.queue > 0 {
		activity = "IN_PROGRESS"
	}
	w.section("search_ingestion")
	w.put("search_background_indexing_status", activity, "search_ingestion_paused", "no")
	w.section("search_backfill")
	w.put("search_num_active_backfills", t.backfills, "search_backfills_paused", "no")
	if t.backfills > 0 {
		w.put("search_current_backfill_progress_percentage", int(100*t.progress/float64(t.backfills)))
	}
	st := &c.srv.search
	w.section("search_query")
	w.put("search_num_active_queries", st.Active.Load(), "search_successful_requests_count", st.Succeeded.Load(),
		"search_failure_requests_count", st.Failed.Load(), "search_hybrid_requests_count", st.Hybrid.Load(),
		"search_inline_filtering_requests_count", st.Inline.Load(), "search_prefiltering_requests_count", st.Prefiltered.Load(),
		"search_nonvector_requests_count", st.NonVector.Load())
	w.section("search_disk")
	s := w.engineStats(c)
	w.put("search_disk_bytes", disk, "search_cache_bytes", s.Memory["codes"]+s.Memory["links"],
		"search_cache_hit_ratio", fmt.Sprintf("%.4f", share(s.RowsResident, s.RowsResident+s.RowsFromFiles)), "search_disk_reads", s.RowsFromFiles)
	infoSearches(w, &s.Searches)
}

// infoSearches writes what all searches by vector did since the start, over HTTP too.
func infoSearches(w *infoWriter, t *engine.SearchTotals) {
	w.section("search_work")
	for _, plan := range slices.Sorted(maps.Keys(t.Plans)) {
		w.put("search_plan_"+strings.ReplaceAll(string(plan), " ", "_"), t.Plans[plan])
	}
	w.put("search_fallbacks", t.Fallbacks, "search_filter_matches", t.Matches, "search_segments", t.Sources, "search_nodes_visited", t.Visited, "search_hops", t.Hops, "search_distances", t.Distances,
		"search_scanned", t.Scanned, "search_failures", t.Failed, "search_payloads_evaluated", t.Evaluated,
		"search_rescored", t.Rescored, "search_rows_read", t.RowsRead, "search_code_bytes_read", t.Coded, "search_row_bytes_read", t.BytesRead,
		"search_rows_from_files", t.RowsCold, "search_filter_usec", t.Filter.Microseconds(), "search_index_usec", t.Index.Microseconds(), "search_walk_usec", t.Walk.Microseconds(),
		"search_rescore_usec", t.Rescore.Microseconds(), "search_fetch_usec", t.Fetch.Microseconds())
}

// share is part of whole, 0 of nothing.
func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

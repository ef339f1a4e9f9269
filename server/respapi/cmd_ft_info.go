package respapi

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/resp"
)

func ftInfo(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	x, err := c.index(c.args[1])
	if err != nil {
		return ftError(err)
	}
	info := x.Info()
	if info.Index == nil {
		return errUnknownIndex
	}
	p := &pairs{w: resp.NewWriter()}
	p.w.SetProtocol(c.w.Protocol())
	writeInfo(p, x, &info)
	c.w.Map(p.n)
	c.w.Raw(p.w.Bytes())
	return nil
}

// pairs writes the pairs of a map whose size is known at the end.
type pairs struct {
	w *resp.Writer
	n int
}

// key begins a pair; the caller writes the value.
func (p *pairs) key(name string) *resp.Writer {
	p.n++
	p.w.BulkString(name)
	return p.w
}

func (p *pairs) text(name, value string)    { p.key(name).BulkString(value) }
func (p *pairs) int(name string, n int64)   { p.key(name).Int(n) }
func (p *pairs) num(name string, v float64) { p.key(name).Double(v) }

// indexSizes are the figures of an index that several keys show.
type indexSizes struct {
	vectors, tail, deleted int
	rows, codes, payload   int64
}

func sizesOf(info *engine.CollectionInfo) indexSizes {
	var s indexSizes
	for _, v := range info.Vectors {
		s.vectors += v.Vectors
		s.tail += v.Tail
		s.deleted += v.Deleted
		s.rows += v.RowBytes
		s.codes += v.Memory.Total()
	}
	return s
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func writeInfo(p *pairs, x *ftIndex, info *engine.CollectionInfo) {
	s := sizesOf(info)
	p.text("index_name", x.def.Name)
	w := p.key("index_options")
	w.Array(len(x.opts.Flags))
	for _, f := range x.opts.Flags {
		w.BulkString(f)
	}
	writeDefinition(p, x)
	w = p.key("attributes")
	w.Array(len(x.def.Fields))
	for i := range x.def.Fields {
		writeAttribute(w, &x.def.Fields[i], &x.fields[i], info)
	}
	points := int64(info.Points)
	p.int("num_docs", points)
	p.int("max_doc_id", points)
	p.int("num_terms", 0)
	p.int("num_records", points)
	writeSizes(p, s)
	p.int("hash_indexing_failures", int64(info.Index.Failures.Count))
	p.num("total_indexing_time", 0)
	indexing := info.Index.State == engine.BackfillInProgress
	p.int("indexing", int64(boolInt(indexing)))
	p.num("percent_indexed", info.Index.Progress)
	p.int("number_of_uses", x.uses.Load())
	p.int("cleaning", 0)
	writeStats(p)
	if x.opts.CustomStop {
		w = p.key("stopwords_list")
		w.Array(len(x.opts.StopWords))
		for _, word := range x.opts.StopWords {
			w.BulkString(word)
		}
	}
	dialects := map[string]int64{"dialect_2": 1}
	w = p.key("dialect_stats")
	w.Map(4)
	for _, d := range []string{"dialect_1", "dialect_2", "dialect_3", "dialect_4"} {
		w.BulkString(d)
		w.Int(dialects[d])
	}
	writeFailures(p.key("Index Errors"), info.Index.Failures)
	writeFieldStatistics(p.key("field statistics"), x, info)
	writeMemoryDBKeys(p, x, info, s)
	writeOtherKeys(p, x, info, s)
}

func writeDefinition(p *pairs, x *ftIndex) {
	d := &pairs{w: resp.NewWriter()}
	d.w.SetProtocol(p.w.Protocol())
	d.text("key_type", "HASH")
	writePrefixes(d.key("prefixes"), x, true)
	d.text("default_score", cmp.Or(trimFloat(x.opts.Score), "1"))
	d.text("indexes_all", "false")
	for _, f := range []struct{ name, value string }{
		{"default_language", x.opts.Language}, {"language_field", x.opts.LangField},
		{"score_field", x.opts.ScoreField}, {"payload_field", x.opts.Payload},
	} {
		if f.value != "" {
			d.text(f.name, f.value)
		}
	}
	w := p.key("index_definition")
	w.Map(d.n)
	w.Raw(d.w.Bytes())
}

// trimFloat writes 1.0 as 1.
func trimFloat(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return string(resp.AppendDouble(nil, f))
}

// writePrefixes writes the prefixes; the empty one, which matches all, stands for none.
func writePrefixes(w *resp.Writer, x *ftIndex, none bool) {
	if len(x.def.Prefixes) == 0 && none {
		w.Array(1)
		w.BulkString("")
		return
	}
	w.Array(len(x.def.Prefixes))
	for _, prefix := range x.def.Prefixes {
		w.Bulk(prefix)
	}
}

// writeAttribute writes one declared field: pairs first, bare flags last, in version 3 under a key of their own.
func writeAttribute(w *resp.Writer, f *engine.IndexField, o *fieldOptions, info *engine.CollectionInfo) {
	p := &pairs{w: resp.NewWriter()}
	p.w.SetProtocol(w.Protocol())
	p.text("identifier", f.Source)
	p.text("attribute", f.Alias)
	p.text("type", typeName(f.Type))
	switch f.Type {
	case engine.FieldTag:
		p.text("SEPARATOR", separatorText(f))
	case engine.FieldText:
		p.text("WEIGHT", cmp.Or(trimFloat(o.Weight), "1"))
	case engine.FieldVector:
		writeVectorAttribute(p, f, o, info)
	}
	if w.Protocol() >= 3 {
		p.key("flags").Array(len(o.Flags))
		for _, flag := range o.Flags {
			p.w.BulkString(flag)
		}
		w.Map(p.n)
		w.Raw(p.w.Bytes())
		return
	}
	w.Array(2*p.n + len(o.Flags))
	w.Raw(p.w.Bytes())
	for _, flag := range o.Flags {
		w.BulkString(flag)
	}
}

func separatorText(f *engine.IndexField) string {
	if f.Separator == 0 {
		return ","
	}
	return string([]byte{f.Separator})
}

func dataType(f *engine.IndexField) string { return strings.ToUpper(f.Vector.Datatype.String()) }

func writeVectorAttribute(p *pairs, f *engine.IndexField, o *fieldOptions, info *engine.CollectionInfo) {
	hnsw := !f.Vector.Flat
	metric := metricName(f.Vector.Distance)
	p.text("algorithm", algorithmName(*f))
	p.text("data_type", dataType(f))
	p.int("dim", int64(f.Vector.Size))
	p.text("distance_metric", metric)
	m, construction, runtime := hnswParams(o)
	if hnsw {
		p.int("M", m)
		p.int("ef_construction", construction)
		p.int("ef_runtime", runtime)
	} else {
		p.int("block_size", int64(cmp.Or(o.BlockSize, defaultBlockSize)))
	}
	w := p.key("index")
	w.Map(6)
	w.BulkString("capacity")
	w.Int(int64(max(o.InitialCap, info.Vectors[f.Alias].Vectors)))
	w.BulkString("dimensions")
	w.Int(int64(f.Vector.Size))
	w.BulkString("distance_metric")
	w.BulkString(metric)
	w.BulkString("size")
	w.BulkString(strconv.Itoa(info.Vectors[f.Alias].Vectors))
	w.BulkString("data_type")
	w.BulkString(dataType(f))
	w.BulkString("algorithm")
	a := &pairs{w: resp.NewWriter()}
	a.w.SetProtocol(w.Protocol())
	a.text("name", algorithmName(*f))
	if hnsw {
		a.int("m", m)
		a.int("ef_construction", construction)
		a.int("ef_runtime", runtime)
	} else {
		a.int("block_size", int64(cmp.Or(o.BlockSize, defaultBlockSize)))
	}
	w.Map(a.n)
	w.Raw(a.w.Bytes())
}

func hnswParams(o *fieldOptions) (m, construction, runtime int64) {
	return int64(cmp.Or(o.M, defaultM)), int64(cmp.Or(o.EfConstruction, defaultEfConstruction)), int64(cmp.Or(o.EfRuntime, defaultEfRuntime))
}

func writeSizes(p *pairs, s indexSizes) {
	for _, f := range []struct {
		name  string
		bytes int64
	}{
		{"inverted_sz_mb", s.payload}, {"vector_index_sz_mb", s.codes}, {"offset_vectors_sz_mb", 0}, {"doc_table_size_mb", 0},
		{"sortable_values_size_mb", 0}, {"key_table_size_mb", 0}, {"tag_overhead_sz_mb", 0}, {"text_overhead_sz_mb", 0},
		{"total_index_memory_sz_mb", s.codes + s.payload}, {"geoshapes_sz_mb", 0},
	} {
		p.num(f.name, mib(f.bytes))
	}
	p.int("total_inverted_index_blocks", 0)
	for _, name := range []string{"records_per_doc_avg", "bytes_per_record_avg", "offsets_per_term_avg", "offset_bits_per_record_avg"} {
		p.num(name, 0)
	}
}

func writeStats(p *pairs) {
	w := p.key("gc_stats")
	gc := []string{"bytes_collected", "total_ms_run", "total_cycles", "average_cycle_time_ms", "last_run_time_ms",
		"gc_numeric_trees_missed", "gc_blocks_denied"}
	w.Map(len(gc))
	for _, name := range gc {
		w.BulkString(name)
		w.Double(0)
	}
	w = p.key("cursor_stats")
	w.Map(4)
	for _, name := range []string{"global_idle", "global_total", "index_capacity", "index_total"} {
		w.BulkString(name)
		w.Int(0)
	}
}

func writeFailures(w *resp.Writer, f engine.IndexFailures) {
	w.Map(4)
	w.BulkString("indexing failures")
	w.Int(int64(f.Count))
	w.BulkString("last indexing error")
	w.BulkString(cmp.Or(f.LastError, "N/A"))
	w.BulkString("last indexing error key")
	w.BulkString(cmp.Or(string(f.LastKey), "N/A"))
	w.BulkString("background indexing status")
	w.BulkString("OK")
}

func writeFieldStatistics(w *resp.Writer, x *ftIndex, info *engine.CollectionInfo) {
	w.Array(len(x.def.Fields))
	for _, f := range x.def.Fields {
		w.Map(3)
		w.BulkString("identifier")
		w.BulkString(f.Source)
		w.BulkString("attribute")
		w.BulkString(f.Alias)
		w.BulkString("Index Errors")
		writeFailures(w, info.Index.ByField[f.Alias])
	}
}

var backfillNames = map[engine.BackfillState]string{engine.BackfillCompleted: "Completed", engine.BackfillInProgress: "InProgress",
	engine.BackfillPaused: "Paused", engine.BackfillFailed: "Failed"}

func writeMemoryDBKeys(p *pairs, x *ftIndex, info *engine.CollectionInfo, s indexSizes) {
	p.int("creation_timestamp", x.def.Created.Unix())
	p.text("key_type", "HASH")
	writePrefixes(p.key("key_prefixes"), x, false)
	w := p.key("fields")
	w.Array(len(x.def.Fields))
	for i := range x.def.Fields {
		writeMemoryDBField(w, &x.def.Fields[i], &x.fields[i], info)
	}
	p.int("space_usage", s.rows+s.codes+s.payload)
	p.int("fullext_space_usage", s.payload)
	p.int("fulltext_space_usage", s.payload)
	p.int("vector_space_usage", s.rows+s.codes)
	p.int("num_indexed_vectors", int64(s.vectors))
	p.int("current_lag", 0) // a write is searchable when it is acknowledged
	p.text("backfill_status", backfillNames[info.Index.State])
}

func writeMemoryDBField(w *resp.Writer, f *engine.IndexField, o *fieldOptions, info *engine.CollectionInfo) {
	p := &pairs{w: resp.NewWriter()}
	p.w.SetProtocol(w.Protocol())
	names := map[engine.FieldType]string{engine.FieldNumeric: "Numeric", engine.FieldTag: "Tag", engine.FieldText: "Text", engine.FieldVector: "Vector"}
	p.text("identifier", f.Alias)
	p.text("field_name", f.Source)
	p.text("type", names[f.Type])
	p.text("option", "")
	if f.Type == engine.FieldVector {
		p.text("algorithm", algorithmName(*f))
		p.text("data_type", dataType(f))
		p.text("distance_metric", metricName(f.Vector.Distance))
		p.int("initial_capacity", int64(o.InitialCap))
		p.int("current_capacity", int64(max(o.InitialCap, info.Vectors[f.Alias].Vectors)))
		if !f.Vector.Flat {
			m, construction, runtime := hnswParams(o)
			p.int("maximum_edges", m)
			p.int("ef_construction", construction)
			p.int("ef_runtime", runtime)
		}
	}
	w.Map(p.n)
	w.Raw(p.w.Bytes())
}

func writeOtherKeys(p *pairs, x *ftIndex, info *engine.CollectionInfo, s indexSizes) {
	state, running := "ready", "0"
	switch info.Index.State {
	case engine.BackfillInProgress:
		state, running = "backfill_in_progress", "1"
	case engine.BackfillPaused:
		state, running = "backfill_paused_by_oom", "1"
	}
	p.text("backfill_in_progress", running)
	p.text("backfill_complete_percent", strconv.FormatFloat(info.Index.Progress, 'f', 6, 64))
	queue := 0 // vectors that background work is to put into a graph; small indexes have none
	if info.Status == engine.Yellow {
		queue = s.tail
	}
	p.text("mutation_queue_size", strconv.Itoa(queue))
	p.text("recent_mutations_queue_delay", "0 sec")
	p.text("state", state)
	p.int("total_term_occurrences", 0)
	p.text("language", cmp.Or(x.opts.Language, "english"))
	p.int("disk_size_bytes", info.DiskBytes)
	p.int("resident_bytes", s.codes+s.payload)
	p.int("vectors_deleted", int64(s.deleted))
	p.text("last_backfill_error", info.Index.Err)
}

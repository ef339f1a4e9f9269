package respapi

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/isobath/isobath/engine/keyspace"
)

type paramKind uint8

const (
	paramText paramKind = iota
	paramBool           // yes, no
	paramInt            // within min..max
	paramEnum
	paramBytes // 10mb, 1gib; shown in bytes
)

// param is one parameter of CONFIG.
type param struct {
	name     string
	kind     paramKind
	value    string // default
	fixed    bool   // can only be set at start
	secret   bool   // reads as empty
	min, max int64
	enum     []string
	aliases  []string
}

// params lists the parameters in the order of resp.md section 16. Those that only exist
// because clients ask for them are at the end.
func params() []param {
	cores := int64(runtime.NumCPU())
	number := func(name string, value, low, high int64, aliases ...string) param {
		return param{name: name, kind: paramInt, value: strconv.FormatInt(value, 10), min: low, max: high, aliases: aliases}
	}
	yesNo := func(name, value string, aliases ...string) param {
		return param{name: name, kind: paramBool, value: value, aliases: aliases}
	}
	// only is a choice of which one side is there: the other is refused rather than ignored.
	only := func(name, value string) param {
		return param{name: name, kind: paramEnum, value: value, enum: []string{value}}
	}
	return []param{
		{name: "reported-redis-version", value: "7.4.2"},
		{name: "search.query-during-backfill", kind: paramEnum, value: "error", enum: []string{"error", "partial", "wait"}},
		{name: "search.knn-order", kind: paramEnum, value: "distance", enum: []string{"distance", "insertion"}},
		number("search.create-wait-ms", 200, 0, 60000),
		only("search.invalid-data-drops-key", "no"),
		only("search.json-tag-split", "yes"),
		{name: "search.on-timeout", kind: paramEnum, value: "fail", enum: []string{"fail", "return"}, aliases: []string{"search-on-timeout"}},
		number("search.default-timeout-ms", 50000, 0, 86400000, "search-timeout"),
		number("search.max-timeout-ms", 60000, 1, 86400000),
		number("search.default-dialect", 2, 1, 4, "search-default-dialect"),
		number("search.max-indexes", 10000, 1, math.MaxInt32),
		number("search.max-attributes", 1000, 1, 65535),
		number("search.max-prefixes", 128, 1, 65535),
		number("search.max-vector-dimensions", 32768, 1, 65536),
		number("search.max-vector-m", 512, 2, 4096),
		number("search.max-vector-ef-construction", 4096, 1, 65536),
		number("search.max-vector-ef-runtime", 4096, 1, 65536),
		number("search.max-vector-knn", 10000, 1, 1000000),
		number("search.tag-min-prefix-length", 1, 1, 1024, "search-min-prefix"),
		number("search.max-search-results", 1000000, 0, math.MaxInt32, "search-max-search-results"),
		number("search.max-aggregate-results", math.MaxInt32, 0, math.MaxInt32, "search-max-aggregate-results"),
		{name: "search.indexing-threads", value: strconv.FormatInt(max(1, cores/2), 10), fixed: true},
		{name: "search.query-threads", value: strconv.FormatInt(cores, 10), fixed: true, aliases: []string{"search-workers"}},
		only("search.flush-keeps-indexes", "no"),
		number("maxclients", 10000, 1, 1000000),
		{name: "port", value: "6379", fixed: true},
		yesNo("report-cluster-enabled", "no"),
		yesNo("cluster-emulation", "yes"),
		{name: "databases", kind: paramInt, value: "16", fixed: true},
		{name: "requirepass", fixed: true, secret: true},
		{name: "aclfile", fixed: true},
		{name: "appendfsync", kind: paramEnum, value: "always", enum: []string{"always", "everysec", "no"}},
		{name: "maxmemory", kind: paramBytes, value: "0", fixed: true},
		{name: "proto-max-bulk-len", kind: paramBytes, value: "67108864", min: 1 << 20, max: 512 << 20},
		number("timeout", 0, 0, math.MaxInt32),
		number("slowlog-log-slower-than", 10000, -1, math.MaxInt32),
		number("slowlog-max-len", 128, 0, 100000),
		{name: "cluster-announce-hostname"},
		{name: "bind", value: "127.0.0.1", fixed: true},
		{name: "dir", fixed: true},

		{name: "save"},
		{name: "appendonly", kind: paramEnum, value: "yes", enum: []string{"yes"}},
		{name: "maxmemory-policy", kind: paramEnum, value: "noeviction", enum: []string{"noeviction"}},
		{name: "replica-read-only", kind: paramEnum, value: "yes", enum: []string{"yes"}, aliases: []string{"slave-read-only"}},
		{name: "notify-keyspace-events", kind: paramEnum, enum: []string{""}},
		{name: "cluster-enabled", value: "no", fixed: true},
		yesNo("cluster-require-full-coverage", "yes"),
		number("tcp-keepalive", 300, 0, math.MaxInt32),
		number("latency-monitor-threshold", 0, 0, math.MaxInt32),
		number("hash-max-listpack-entries", 128, 0, math.MaxInt32, "hash-max-ziplist-entries"),
		number("hash-max-listpack-value", 64, 0, math.MaxInt32, "hash-max-ziplist-value"),
		{name: "loglevel", kind: paramEnum, value: "notice", enum: []string{"debug", "verbose", "notice", "warning"}},
	}
}

// configStore holds the parameters in force. It is safe for concurrent use.
type configStore struct {
	mu     sync.RWMutex
	params map[string]*param // by name and alias
	values map[string]string // by name
	ints   map[string]int64
}

// newConfig returns the defaults with the values given at start, fixed ones included.
func newConfig(start map[string]string) (*configStore, error) {
	cs := &configStore{params: map[string]*param{}, values: map[string]string{}, ints: map[string]int64{}}
	for _, p := range params() {
		cs.params[p.name] = &p
		for _, a := range p.aliases {
			cs.params[a] = &p
		}
		if suffix, ok := strings.CutPrefix(p.name, "search."); ok && cs.params["search-"+suffix] == nil {
			cs.params["search-"+suffix] = &p
		}
		cs.store(&p, p.value)
	}
	for name, value := range start {
		p := cs.params[strings.ToLower(name)]
		if p == nil {
			return nil, fmt.Errorf("respapi: no parameter %q", name)
		}
		value, err := p.check(value)
		if err != nil {
			return nil, fmt.Errorf("respapi: parameter %q: %w", name, err)
		}
		cs.store(p, value)
	}
	return cs, nil
}

func (cs *configStore) store(p *param, value string) {
	cs.values[p.name] = value
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		cs.ints[p.name] = n
	}
}

// String returns a parameter's value. The name is one of the table, not an alias.
func (cs *configStore) String(name string) string {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.values[name]
}

// Int returns a number.
func (cs *configStore) Int(name string) int {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return int(cs.ints[name])
}

// Bool returns a switch.
func (cs *configStore) Bool(name string) bool { return cs.String(name) == "yes" }

// Set changes parameters, all or none. The error is fit for the client.
func (cs *configStore) Set(pairs [][]byte) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	checked := make([]string, 0, len(pairs)/2)
	given := map[*param]bool{}
	for i := 0; i < len(pairs); i += 2 {
		name := strings.ToLower(string(pairs[i]))
		p := cs.params[name]
		if p == nil {
			return replyError("ERR Unknown option or number of arguments for CONFIG SET - '" + string(pairs[i]) + "'")
		}
		if p.fixed {
			return replyError("ERR CONFIG SET failed (possibly related to argument '" + name + "') - can't set immutable config")
		}
		if given[p] {
			return replyError("ERR CONFIG SET failed (possibly related to argument '" + name + "') - duplicate parameter")
		}
		given[p] = true
		value, err := p.check(string(pairs[i+1]))
		if err != nil {
			return replyError("ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + err.Error())
		}
		checked = append(checked, value)
	}
	for i, value := range checked {
		cs.store(cs.params[strings.ToLower(string(pairs[2*i]))], value)
	}
	return nil
}

// Get returns names, as they match one of the glob patterns, and values, sorted by name.
func (cs *configStore) Get(patterns [][]byte) [][2]string {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	found := map[string]string{}
	for _, pattern := range patterns {
		pattern := []byte(strings.ToLower(string(pattern)))
		for name, p := range cs.params {
			if !keyspace.Glob(pattern, []byte(name)) {
				continue
			}
			found[name] = cs.values[p.name]
			if p.secret {
				found[name] = ""
			}
		}
	}
	var out [][2]string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, [2]string{name, found[name]})
	}
	return out
}

// check returns the value in its stored form.
func (p *param) check(value string) (string, error) {
	switch p.kind {
	case paramBool:
		value = strings.ToLower(value)
		if value != "yes" && value != "no" {
			return "", replyError("argument must be 'yes' or 'no'")
		}
	case paramEnum:
		if i := slices.IndexFunc(p.enum, func(e string) bool { return strings.EqualFold(e, value) }); i >= 0 {
			return p.enum[i], nil
		}
		return "", replyError("argument must be one of the following: " + strings.Join(p.enum, ", "))
	case paramInt, paramBytes:
		n, err := strconv.ParseInt(value, 10, 64)
		if p.kind == paramBytes {
			n, err = parseBytes(value)
		}
		if err != nil {
			return "", replyError("argument couldn't be parsed into an integer")
		}
		if p.max != 0 && (n < p.min || n > p.max) {
			return "", replyError(fmt.Sprintf("argument must be between %d and %d inclusive", p.min, p.max))
		}
		return strconv.FormatInt(n, 10), nil
	}
	return value, nil
}

// parseBytes reads a number of bytes with an optional unit: k and kb, m and mb, g and gb,
// where the form with b is the power of two.
func parseBytes(s string) (int64, error) {
	s = strings.ToLower(s)
	unit := int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{
		{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30},
		{"k", 1000}, {"m", 1000000}, {"g", 1000000000}, {"b", 1},
	} {
		if head, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = head, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errNotInteger
	}
	return n * unit, nil
}

package respapi

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serverStats are the counters of INFO. Safe for concurrent use.
type serverStats struct {
	connections, refused, commands, rejected atomic.Int64
	protocolErrors, denied, authFailures     atomic.Int64
	hits, misses                             atomic.Int64

	mu     sync.Mutex
	errors map[string]int64 // by code
}

// maxErrorCodes bounds the codes counted apart.
const maxErrorCodes = 128

func (st *serverStats) countError(text string) {
	code := "ERR"
	if hasCode(text) {
		code, _, _ = strings.Cut(text, " ")
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.errors == nil {
		st.errors = map[string]int64{}
	}
	if _, known := st.errors[code]; !known && len(st.errors) >= maxErrorCodes {
		code = "OTHER"
	}
	st.errors[code]++
}

func (st *serverStats) errorCounts() map[string]int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return maps.Clone(st.errors)
}

func (st *serverStats) reset() {
	for _, n := range []*atomic.Int64{&st.connections, &st.refused, &st.commands, &st.rejected,
		&st.protocolErrors, &st.denied, &st.authFailures, &st.hits, &st.misses} {
		n.Store(0)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.errors = nil
}

// lookup counts a key that a read looked for.
func (st *serverStats) lookup(found bool) {
	if found {
		st.hits.Add(1)
	} else {
		st.misses.Add(1)
	}
}

// commandStats are the counters of one command.
type commandStats struct {
	calls, failed, nanos atomic.Int64
}

func (cs *commandStats) add(took time.Duration, failed bool) {
	cs.calls.Add(1)
	cs.nanos.Add(int64(took))
	if failed {
		cs.failed.Add(1)
	}
}

func (cs *commandStats) reset() {
	cs.calls.Store(0)
	cs.failed.Store(0)
	cs.nanos.Store(0)
}

// searchStats count FT.SEARCH and FT.AGGREGATE for INFO. Safe for concurrent use.
type searchStats struct {
	Active, Succeeded, Failed, Hybrid, Inline, Prefiltered, NonVector atomic.Int64
}

// slowEntry is one entry of SLOWLOG.
type slowEntry struct {
	id           int64
	at           time.Time
	took         time.Duration
	args         [][]byte
	client, name string
}

// Bounds of what an entry keeps of a command, as other servers have them.
const (
	slowArgs     = 32
	slowArgBytes = 128
)

// slowLog keeps the last commands that took long to execute. Safe for concurrent use.
type slowLog struct {
	config *configStore

	mu      sync.Mutex
	next    int64
	entries []slowEntry // oldest first
}

func (l *slowLog) observe(c *call, start time.Time, took time.Duration) {
	if took < time.Millisecond && l.config.Int("slowlog-log-slower-than") >= 1000 {
		return // without looking closer
	}
	limit := l.config.Int("slowlog-log-slower-than")
	if limit < 0 || took < time.Duration(limit)*time.Microsecond || hidden(c) {
		return
	}
	e := slowEntry{at: start, took: took, client: c.conn.addr}
	c.conn.set(func(in *connInfo) { e.name = in.name })
	for i, a := range c.args {
		if i == slowArgs-1 && len(c.args) > slowArgs {
			e.args = append(e.args, []byte("... (more arguments)"))
			break
		}
		e.args = append(e.args, append([]byte(nil), shorten(a, slowArgBytes)...))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.next
	l.next++
	l.entries = append(l.entries, e)
	if over := len(l.entries) - l.config.Int("slowlog-max-len"); over > 0 {
		l.entries = append(l.entries[:0:0], l.entries[over:]...)
	}
}

// hidden says whether a command carries a secret.
func hidden(c *call) bool {
	return c.cmd != nil && (c.cmd.name == "auth" || c.cmd.name == "hello" || c.cmd.name == "config|set")
}

// newest returns up to n entries, the newest first.
func (l *slowLog) newest(n int) []slowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []slowEntry
	for i := len(l.entries) - 1; i >= 0 && len(out) < n; i-- {
		out = append(out, l.entries[i])
	}
	return out
}

func (l *slowLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *slowLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

// pauser holds commands back for CLIENT PAUSE. Safe for concurrent use.
type pauser struct {
	active atomic.Bool

	mu     sync.Mutex
	until  time.Time
	all    bool // reads too
	change chan struct{}
}

func (p *pauser) begin(d time.Duration, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
	p.all = p.all || all
	if p.change == nil {
		p.change = make(chan struct{})
	}
	p.active.Store(true)
}

func (p *pauser) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until, p.all = time.Time{}, false
	p.active.Store(false)
	if p.change != nil {
		close(p.change)
		p.change = nil
	}
}

// wait returns when the command of c may run.
func (p *pauser) wait(c *call) error {
	if !p.active.Load() || c.cmd.group == "connection" {
		return nil
	}
	c.conn.out.flush()
	for {
		p.mu.Lock()
		left, change := time.Until(p.until), p.change
		hold := p.all || c.cmd.flags&flagWrite != 0 || c.cmd.name == "exec"
		p.mu.Unlock()
		if change == nil || !hold {
			return nil
		}
		if left <= 0 {
			p.end()
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-change:
		case <-c.ctx.Done():
			timer.Stop()
			return c.ctx.Err()
		}
		timer.Stop()
	}
}

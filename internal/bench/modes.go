package bench

import (
	"context"
	"fmt"
	"strings"
)

// modes are the modes by name, in the order in which they are listed.
var modes = []struct {
	name, about string
	run         func(r *Run, ctx context.Context) error
}{
	{"search", "recall and throughput in process, on one core and on all, hnswlib beside it", (*Run).Search},
	{"limit", "the distances of searches alone, against whole searches: the share of the limit that is reached", (*Run).Limit},
	{"http", "the same over HTTP, one query in flight and many, and what the server adds", (*Run).HTTP},
	{"resp", "the same over RESP", (*Run).RESP},
	{"ingest-http", "a load over HTTP: acknowledged, searchable, at rest; queries meanwhile; memory", func(r *Run, ctx context.Context) error { return r.Ingest(ctx, overHTTP) }},
	{"ingest-resp", "the same over RESP", func(r *Run, ctx context.Context) error { return r.Ingest(ctx, overRESP) }},
	{"filtered", "filters that pass 50, 10, 1 and 0.1 %, with and against the queries", (*Run).Filtered},
	{"churn", "half of the points replaced in ten rounds", (*Run).Churn},
	{"memory", "data larger than a memory control group", (*Run).Memory},
	{"restart", "cold starts after a stop and after kills, to the first correct answer", (*Run).Restart},
	{"build", "graph builds by processor time, hnswlib beside it", (*Run).Build},
	{"empty", "what a thousand empty collections cost", (*Run).Empty},
}

// Modes returns the names of the modes, and a line about each.
func Modes() (names, about []string) {
	for _, m := range modes {
		names, about = append(names, m.name), append(about, m.about)
	}
	return names, about
}

// Mode runs a mode by name.
func (r *Run) Mode(ctx context.Context, name string) error {
	for _, m := range modes {
		if m.name == name {
			return m.run(r, ctx)
		}
	}
	names, _ := Modes()
	return fmt.Errorf("bench: there is no mode %q, but %s", name, strings.Join(names, ", "))
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/isobath/isobath/internal/bench"
	"github.com/isobath/isobath/internal/dataset"
)

func newBench() *cobra.Command {
	var o benchOptions
	names, about := bench.Modes()
	var list strings.Builder
	for i, name := range names {
		fmt.Fprintf(&list, "  %-12s %s\n", name, about[i])
	}
	c := &cobra.Command{
		Use:   "bench MODE...",
		Short: "Measure recall, speed, memory and restarts on known data",
		Long: `Measure on known data, in one or more modes:

` + list.String() + `
The data is --set synthetic (clustered, generated while it is read), file (--base and --query, fvecs),
or one of ` + strings.Join(dataset.Names, ", ") + ` below --data, which the scripts in
internal/dataset/prepare write. Recall is against exact neighbours, computed once and kept in --cache.

Comparisons are ratios within one run, in rounds A B B A. hnswlib is built from its driver's source
where g++ and its header are installed. Servers are started as children of this process, on free
loopback ports, unless --url and --resp-addr name one.`,
		Example: `  isobath bench search --set glove-100 --data data --json search.json
  isobath bench ingest-resp --set synthetic --rows 1000000 --dim 768`,
		ValidArgs: names,
		RunE: func(c *cobra.Command, modes []string) error {
			for _, mode := range modes {
				if !slices.Contains(names, mode) {
					return &statusError{2, fmt.Errorf("there is no mode %q, but %s", mode, strings.Join(names, ", "))}
				}
			}
			switch {
			case len(modes) == 0:
				return &statusError{2, fmt.Errorf("name a mode: %s", strings.Join(names, ", "))}
			case len(modes) > 1 && o.config.Dir != "":
				return &statusError{2, errors.New("--dir is for one mode")}
			}
			return o.run(c, modes)
		},
	}
	o.flags(c.Flags())
	return c
}

// benchOptions are the flags of the command.
type benchOptions struct {
	config bench.Config
	metric string
	limit  string
	json   string
}

func (o *benchOptions) flags(f *pflag.FlagSet) {
	c, set, y := &o.config, &o.config.Set, &o.config.Set.Synthetic
	f.StringVar(&set.Name, "set", "synthetic", "data set")
	f.StringVar(&set.Dir, "data", "bench-data", "directory of the prepared sets")
	f.StringVar(&set.Base, "base", "", "with --set file: rows")
	f.StringVar(&set.Query, "query", "", "with --set file: queries")
	f.StringVar(&o.metric, "metric", "cosine", "with --set file or synthetic: cosine, dot or l2")
	f.IntVar(&set.Rows, "rows", 0, "rows at most (default all; 100000 synthetic ones)")
	f.IntVar(&set.Queries, "queries", 0, "queries at most (default all; 1000 synthetic ones)")
	f.IntVar(&set.Dim, "dim", 128, "with --set synthetic: dimension")
	f.Uint64Var(&y.Seed, "seed", 0, "with --set synthetic: seed")
	f.IntVar(&y.Clusters, "clusters", 2000, "with --set synthetic: clusters")
	f.IntVar(&y.Low, "intrinsic-low", 16, "with --set synthetic: least intrinsic dimension of a cluster")
	f.IntVar(&y.High, "intrinsic-high", 32, "with --set synthetic: largest intrinsic dimension of a cluster")
	f.Float64Var(&y.Spread, "spread", dataset.DefaultSpread, "with --set synthetic: distance of the clusters in their radii; smaller is harder")
	f.Float64Var(&y.Noise, "noise", dataset.DefaultNoise, "with --set synthetic: noise over all dimensions in radii of a cluster; more is harder")

	f.StringVar(&c.Cache, "cache", "", "directory of exact neighbours, exported rows and the peer (default: in the user's cache)")
	f.StringVar(&c.Dir, "dir", "", "directory of the database, kept and used again where the mode only reads (default: a temporary one)")
	f.StringVar(&c.Program, "program", "", "program of the server (default: this one)")
	f.StringVar(&c.URL, "url", "", "HTTP address of a running server")
	f.StringVar(&c.RESPAddr, "resp-addr", "", "RESP address of a running server")
	f.StringVar(&c.Key, "api-key", "", "key of that server")

	f.StringVar(&c.Collection, "collection-config", "", `JSON for the request that creates a collection over HTTP, e.g. {"vectors":{"on_disk":true}}`)

	f.IntVar(&c.K, "k", 10, "results of a query")
	f.IntVar(&c.M, "m", 16, "links of a node")
	f.IntVar(&c.EfConstruct, "ef-construct", 200, "beam of the build")
	f.IntSliceVar(&c.Efs, "efs", []int{10, 20, 30, 40, 60, 80, 120, 160, 200, 240, 320, 400, 480, 640}, "beams of the sweep")
	f.Float64SliceVar(&c.Recalls, "recalls", []float64{0.90, 0.95, 0.98}, "recalls at which throughput is compared")
	f.IntVar(&c.Ef, "ef", 100, "beam where a mode needs one")
	f.IntVar(&c.Rounds, "rounds", 5, "rounds of a comparison")
	f.IntVar(&c.Warmup, "warmup", 1000, "queries before measuring")

	f.StringVar(&c.Peer, "hnswlib", "", `program of hnswlib's driver, or "off" (default: built from its source)`)
	f.IntVar(&c.Threads, "threads", 0, "threads of hnswlib's build (default: all processors)")
	f.IntVar(&c.Batch, "batch", 1000, "rows of a request or pipeline")
	f.IntVar(&c.Loaders, "loaders", 2, "connections that load")
	f.IntSliceVar(&c.Clients, "clients", []int{1, 8, 32}, "clients of the modes http and resp")
	f.IntVar(&c.ProbeRate, "probe-rate", 50, "queries a second while data is loaded")
	f.IntVar(&c.Fresh, "fresh", 200, "rows that are asked for right after their acknowledgement")
	f.DurationVar(&c.Pause, "pause", 5*time.Second, "time that a server gets to give memory back before it is looked at")
	f.StringVar(&o.limit, "memory-limit", "", "of the mode memory: size of the control group, e.g. 1.5GB (default: a quarter of the rows)")
	f.StringVar(&c.Profile, "profile", "", "write a processor profile of the mode search to this file")
	f.StringVar(&o.json, "json", "", "write the report to this file")
}

func (o *benchOptions) run(c *cobra.Command, modes []string) (err error) {
	o.config.Set.Metric = dataset.Metric(o.metric)
	if o.config.Set.Synthetic.Noise == 0 && c.Flags().Changed("noise") {
		o.config.Set.Synthetic.Noise = -1 // none; zero is the default
	}
	if o.limit != "" {
		n, err := humanize.ParseBytes(o.limit)
		if err != nil {
			return &statusError{2, fmt.Errorf("--memory-limit: %w", err)}
		}
		o.config.MemoryLimit = int64(n)
	}
	o.config.Out, o.config.Progress = c.OutOrStdout(), c.ErrOrStderr()
	r, err := bench.Open(c.Context(), o.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, mode := range modes {
		if err := r.Mode(c.Context(), mode); err != nil {
			if errors.Is(err, context.Canceled) {
				return errors.New("interrupted")
			}
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(r.Report(), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o600)
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/isobath/isobath/engine"
	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var o engine.CheckOptions
	c := &cobra.Command{
		Use:   "check DIR",
		Short: "Verify a data directory that no server holds: every checksum and every invariant",
		Long: `Verify a data directory that no server holds.

First every checksum of every file is verified, without writing. Where no fault was found the
database is then opened like at a start, which replays the log, and the stores are compared with
each other: ids with slots, vectors with graphs, payloads with their indexes, keys with FT indexes.

The exit status is 0 for a clean directory, 1 when there are faults, 2 when it cannot be checked.`,
		Args: takes(1, 1, "one argument, the data directory"),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := engine.Check(args[0], o)
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("there is no database in %s: %w", args[0], err)
			}
			if err != nil {
				return &statusError{2, err}
			}
			printReport(c.OutOrStdout(), report)
			if !report.Clean() {
				return &statusError{1, nil}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&o.FilesOnly, "files-only", false, "verify the files and do not open the database; nothing is written")
	return c
}

func printReport(w io.Writer, r *engine.Report) {
	for _, p := range r.Problems {
		fmt.Fprintln(w, "fault:", p)
	}
	fmt.Fprintf(w, "%d collections, ", r.Collections)
	if r.Points > 0 || r.Keys > 0 { // counted only where the database was opened
		fmt.Fprintf(w, "%d points, %d vectors, %d keys, ", r.Points, r.Vectors, r.Keys)
	}
	fmt.Fprintf(w, "%d graph segments, %d log records\n", r.Segments, r.LogRecords)
	if r.Clean() {
		fmt.Fprintln(w, "clean")
	} else {
		fmt.Fprintf(w, "%d faults\n", len(r.Problems))
	}
}

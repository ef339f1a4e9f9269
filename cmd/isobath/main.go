// Command isobath serves, fills and checks Isobath databases.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run is main for the scripts in testdata.
func run() int {
	ctx, stop := interruptible()
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var status *statusError
	if errors.As(err, &status) && status.err == nil {
		return status.code
	}
	fmt.Fprintln(os.Stderr, "isobath:", advise(err))
	if status != nil {
		return status.code
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "isobath",
		Short:         "A disk-backed vector database that speaks HTTP and RESP",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          cobra.ArbitraryArgs,
		RunE:          needsCommand,
	}
	root.SetVersionTemplate("isobath {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &statusError{2, fmt.Errorf("%w (see '%s --help')", err, c.CommandPath())}
	})
	root.AddCommand(newServe(), newDemo(), newImport(), newCheck(), newBench(), newConfig(), newVersion())
	return root
}

// needsCommand runs a command that only holds others.
func needsCommand(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &statusError{2, fmt.Errorf("unknown command %q ('%s --help' lists them)", args[0], c.CommandPath())}
	}
	return c.Help()
}

// takes refuses a number of arguments outside low to high; what says in words which they are.
func takes(low, high int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return &statusError{2, fmt.Errorf("%s takes %s (see '%[1]s --help')", c.CommandPath(), what)}
		}
		return nil
	}
}

// noArgs refuses every argument.
var noArgs = takes(0, 0, "no arguments")

// statusError chooses the exit status: 1 unless it says otherwise, 2 for a wrong use of the
// program. Without err everything has been said already.
type statusError struct {
	code int
	err  error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("status %d", e.code)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// interruptible returns a context that the first SIGINT or SIGTERM ends. The second one ends
// the process at once: what was acknowledged is in the log.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(130)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}

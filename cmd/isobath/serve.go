package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/isobath/isobath/server"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a data directory over HTTP and RESP",
		Long: `Serve a data directory over HTTP and RESP until SIGTERM or SIGINT, which let running requests finish
and write a checkpoint. A second signal ends the process at once; nothing that was acknowledged is lost.

Flags win over environment variables (ISOBATH__SERVICE__HTTP_PORT; Qdrant's QDRANT__... names for ports,
keys and storage path are understood too), these over the file of --config, that over the defaults.
docs/operations.md lists all settings.`,
		Args: noArgs,
	}
	file, jsonLog := settingFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		loaded, err := loadConfig(c.Flags(), *file)
		if err != nil {
			return &statusError{2, err}
		}
		cfg := loaded.Config
		cfg.Version, cfg.Log = version(), newLog(*jsonLog, cfg.LogLevel)
		for _, w := range loaded.Warnings {
			cfg.Log.Warn(w)
		}
		err = server.Run(c.Context(), cfg)
		if c.Context().Err() != nil && errors.Is(err, context.Canceled) {
			return nil // stopped before it was up
		}
		return err
	}
	return c
}

// settingFlags adds the flags that server.Load knows, and where the others come from.
func settingFlags(f *pflag.FlagSet) (file *string, jsonLog *bool) {
	f.String("data-dir", "./isobath-data", "directory of the database")
	f.String("http-addr", "127.0.0.1:6333", "address of HTTP")
	f.String("resp-addr", "127.0.0.1:6379", `address of RESP; "off" leaves it out`)
	f.String("memory-limit", "75%", "bound of anonymous memory, e.g. 8GiB or a share of the machine")
	f.String("log-level", "info", "debug, info, warn or error")
	f.Bool("insecure-no-auth", false, "serve other machines without any key")
	jsonLog = f.Bool("log-json", false, "write log lines as JSON")
	return f.String("config", "", "configuration file (YAML)"), jsonLog
}

// loadConfig merges the file, the environment and the flags that were given.
func loadConfig(f *pflag.FlagSet, file string) (server.Loaded, error) {
	given := map[string]string{}
	f.Visit(func(fl *pflag.Flag) {
		if fl.Name != "config" && fl.Name != "log-json" && fl.Name != "origin" {
			given[fl.Name] = fl.Value.String()
		}
	})
	return server.Load(server.Sources{File: file, Env: os.Environ(), Flags: given})
}

func newLog(asJSON bool, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

func newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at the configuration", Args: cobra.ArbitraryArgs, RunE: needsCommand}
	show := &cobra.Command{
		Use:   "show",
		Short: "Print every setting that is not a default, as serve would see it",
		Args:  noArgs,
	}
	file, _ := settingFlags(show.Flags())
	origin := show.Flags().Bool("origin", false, "print where each setting comes from")
	show.RunE = func(c *cobra.Command, _ []string) error {
		loaded, err := loadConfig(c.Flags(), *file)
		if err != nil {
			return &statusError{2, err}
		}
		for _, o := range loaded.Origins {
			line := o.Key + ": " + o.Value
			if *origin {
				line += "  (" + o.From + ")"
			}
			fmt.Fprintln(c.OutOrStdout(), line)
		}
		if len(loaded.Origins) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), "every setting has its default")
		}
		for _, w := range loaded.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
		}
		return nil
	}
	c.AddCommand(show)
	return c
}

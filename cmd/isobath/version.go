package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "isobath %s\n%s %s/%s, %s kernels\n",
				version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, distance.Level())
			return err
		},
	}
}

// version is that of the module, as the go command recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

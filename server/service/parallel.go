package service

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// inParallel calls fn for every item, as many at once as there are processors, and returns the
// results in order, or the first error.
func inParallel[T, R any](ctx context.Context, items []T, fn func(context.Context, T) (R, error)) ([]R, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	out := make([]R, len(items))
	for i, item := range items {
		g.Go(func() (err error) {
			out[i], err = fn(ctx, item)
			return err
		})
	}
	return out, g.Wait()
}

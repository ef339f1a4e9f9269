package vectorindex

import (
	"context"
	"testing"
)

// forcePlan makes searches follow plan instead of their own until the test ends; "" for their own.
func forcePlan(t testing.TB, plan Plan) {
	forcedPlan = plan
	t.Cleanup(func() { forcedPlan = "" })
}

func contextWithCancel(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// walkSmall has searches walk graphs that take less time to scan until the test ends.
func walkSmall(t testing.TB) {
	forcedWalk = true
	t.Cleanup(func() { forcedWalk = false })
}

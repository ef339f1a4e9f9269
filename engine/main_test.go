package engine

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that outlive their database. Badger's dependency starts one for good.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

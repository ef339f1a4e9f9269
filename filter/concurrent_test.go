package filter

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

// TestReadersBesideTheWriter resolves against every published state while one writer commits and a
// save runs; in race builds the detector watches the shared bitmaps.
func TestReadersBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	s := smallState(NewState(), 0, 300)
	var published atomic.Pointer[State]
	published.Store(s)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				s := published.Load()
				res, err := s.Resolve(Not{Expr: Match{"k", StringValue("key5")}}, nil)
				if err != nil || int(res.Set.GetCardinality()) < s.Len()-1 {
					panic(fmt.Sprint("wrong answer: ", err))
				}
				all := s.All().Clone()
				all.And(s.Has("v"))
				all.Add(1 << 20)
				if n, err := s.Resolve(HasVector{"v"}, nil); err != nil || n.Set.GetCardinality()+1 != all.GetCardinality() {
					panic(fmt.Sprint("wrong vectors: ", err))
				}
			}
		})
	}
	file := counter()
	for round := range 10 {
		for i := range 20 {
			s = smallState(s, 100+i*7+round, 3)
			e := s.Edit()
			e.Remove(uint32(200 + i))
			s = e.Commit()
			published.Store(s)
		}
		sv := s.BeginSave()
		done := make(chan error)
		go func() {
			_, err := sv.Run(vfs.OS, dir, file)
			done <- err
		}()
		for i := range 10 {
			s = smallState(s, i*70000, 1)
			published.Store(s)
		}
		require.NoError(t, <-done)
		s = s.FinishSave(sv)
		published.Store(s)
	}
	stop.Store(true)
	wg.Wait()
}

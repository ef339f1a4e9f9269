package daemon

import (
	"sync"
	"time"
)

// AnonPeak is the most anonymous memory that a process was seen to hold.
type AnonPeak struct {
	stop    chan struct{}
	watcher sync.WaitGroup
	bytes   int64
	err     error
}

// WatchAnon looks at the anonymous memory of the process until Peak is called or the process is gone.
func (p *Process) WatchAnon(every time.Duration) *AnonPeak {
	a := &AnonPeak{stop: make(chan struct{})}
	a.watcher.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			n, err := p.anon()
			if err != nil {
				a.err = err
				return
			}
			a.bytes = max(a.bytes, n)
			select {
			case <-tick.C:
			case <-a.stop:
				return
			case <-p.ended:
				return
			}
		}
	})
	return a
}

// Peak ends the watch. It may be called once.
func (a *AnonPeak) Peak() (bytes int64, err error) {
	close(a.stop)
	a.watcher.Wait()
	return a.bytes, a.err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/internal/daemon"
	"github.com/isobath/isobath/test/oracle"
)

// A first answer later than this is a failure; the aim is two seconds, machines are noisy.
const grossDelay = 10 * time.Second

type config struct {
	cycles, checkEvery int
	seed               uint64
	dir, bin           string
	baseFile           string
	work               time.Duration
	verbose            bool
	out                io.Writer
	sabotage           func(dir string) error // tests: after every kill
	calm               bool                   // tests: all is answered before a kill, and in the log: nobody asks for checkpoints
}

// world is everything that outlives a server process.
type world struct {
	config
	rng       *rand.Rand
	points    []*pointWriter
	keys      []*keyWriter
	hits      *oracle.Tally // counterKey
	watched   *oracle.Tally
	schema    *schemaWriter
	base      int // rows of the preloaded collection
	baseQuery string
	report    report
}

// server is one process with connections to it.
type server struct {
	*daemon.Process
	rest  *rest
	redis []*redis.Client
}

func newWorld(c config) *world {
	w := &world{
		config: c, rng: rand.New(rand.NewPCG(c.seed, 0)),
		hits: oracle.NewTally(), watched: oracle.NewTally(), schema: newSchemaWriter(c.seed),
	}
	for i := range 4 {
		w.points = append(w.points, newPointWriter(&spaces[i%len(spaces)], i, c.seed))
	}
	for i := range 2 {
		w.keys = append(w.keys, newKeyWriter(i, c.seed))
	}
	return w
}

// run does all cycles.
func run(ctx context.Context, c config) (*report, error) {
	w := newWorld(c)
	s, err := w.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		s.disconnect()
		_ = s.Kill()
	}()
	if err := w.setUp(ctx, s); err != nil {
		return nil, fmt.Errorf("set-up: %w\n%s", err, s.Output())
	}
	for i := range c.cycles {
		if err := w.cycle(ctx, &s, i); err != nil {
			return nil, fmt.Errorf("cycle %d:\nlast output of the server:\n%s\n%w", i, s.Output(), err)
		}
	}
	if err := w.goodbye(ctx, &s); err != nil {
		return nil, fmt.Errorf("at the end:\nlast output of the server:\n%s\n%w", s.Output(), err)
	}
	return &w.report, nil
}

// cycle works, kills, restarts and compares.
func (w *world) cycle(ctx context.Context, s **server, i int) error {
	gently := w.rng.IntN(10) == 0
	if err := w.disturb(ctx, *s, gently); err != nil {
		return err
	}
	if w.sabotage != nil {
		if err := w.sabotage(w.dir); err != nil {
			return err
		}
	}
	if (i+1)%w.checkEvery == 0 {
		if err := daemon.Check(ctx, w.bin, w.dir); err != nil {
			return err
		}
		w.report.checks++
	}
	for w.rng.IntN(5) == 0 {
		if err := w.killRecovery(); err != nil {
			return err
		}
	}
	next, err := w.start(ctx)
	if err != nil {
		return err
	}
	*s = next
	took, err := w.firstAnswer(ctx, next)
	if err != nil {
		return err
	}
	w.report.first = append(w.report.first, took)
	before := w.report
	if err := w.verify(ctx, next); err != nil {
		return err
	}
	w.report.cycles++
	if w.verbose {
		fmt.Fprintf(w.out, "cycle %d: first answer after %v, %d operations in flight, %d of them kept\n", i, took.Round(time.Millisecond),
			w.report.flight-before.flight, w.report.kept-before.kept)
	}
	return nil
}

// goodbye stops the server in peace, checks the directory, and compares once more.
func (w *world) goodbye(ctx context.Context, s **server) error {
	(*s).disconnect()
	if err := (*s).Stop(); err != nil {
		return err
	}
	if err := daemon.Check(ctx, w.bin, w.dir); err != nil {
		return err
	}
	w.report.checks++
	next, err := w.start(ctx)
	if err != nil {
		return err
	}
	*s = next
	if _, err := w.firstAnswer(ctx, next); err != nil {
		return err
	}
	if err := w.verify(ctx, next); err != nil {
		return err
	}
	w.report.operations = w.acknowledged()
	return nil
}

func (w *world) start(ctx context.Context) (*server, error) {
	p, err := daemon.Start(daemon.Options{Bin: w.bin, Dir: w.dir, Log: w.dir + ".log"})
	if err != nil {
		return nil, err
	}
	s := &server{Process: p, rest: newRest(p.HTTP)}
	for i := range 8 {
		s.redis = append(s.redis, dial(p.RESP, i))
	}
	return s, nil
}

func (s *server) disconnect() {
	s.rest.close()
	for _, c := range s.redis {
		_ = c.Close()
	}
}

// killRecovery starts the server and kills it while it recovers.
func (w *world) killRecovery() error {
	p, err := daemon.Start(daemon.Options{Bin: w.bin, Dir: w.dir, Log: w.dir + ".log"})
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(w.rng.Int64N(int64(250 * time.Millisecond))))
	w.report.recoveries++
	return p.Kill()
}

// disturb lets all clients work until the server is killed, or stopped.
func (w *world) disturb(ctx context.Context, s *server, gently bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	broken := make(chan struct{}, 1)
	var enough atomic.Bool // the clients begin nothing more
	for name, step := range w.workers() {
		wg.Go(func() {
			if err := s.loop(ctx, &enough, step); err != nil {
				mu.Lock()
				failures = append(failures, fmt.Errorf("%s: %w", name, err))
				mu.Unlock()
				select {
				case broken <- struct{}{}:
				default:
				}
			}
		})
	}
	var err error
	select {
	case <-broken:
	case <-time.After(time.Duration(w.rng.Int64N(int64(w.work)))):
	}
	if w.calm {
		enough.Store(true)
		wg.Wait()
	}
	if gently {
		w.report.stops++
		err = s.Stop()
	} else {
		w.report.kills++
		err = s.Kill()
	}
	cancel()
	wg.Wait()
	s.disconnect()
	return errors.Join(append(failures, err)...)
}

// loop repeats a step until it is enough or the server is asked to end. What goes wrong before is a failure.
func (s *server) loop(ctx context.Context, enough *atomic.Bool, step func(context.Context, *server) error) error {
	for !enough.Load() && !s.Asked() && ctx.Err() == nil {
		if err := step(ctx, s); err != nil {
			var conflict *wrong
			if s.Asked() && !errors.As(err, &conflict) {
				return nil
			}
			return err
		}
	}
	return nil
}

// wrong marks an answer that is a failure even when the server is being killed.
type wrong struct{ err error }

func (e *wrong) Error() string { return e.err.Error() }
func (e *wrong) Unwrap() error { return e.err }

// workers returns all clients by name.
func (w *world) workers() map[string]func(context.Context, *server) error {
	all := map[string]func(context.Context, *server) error{
		"schema":     w.schema.step,
		"checkpoint": checkpoint,
		"search":     search,
		"watch": func(ctx context.Context, s *server) error {
			return watchRound(ctx, [2]*redis.Client{s.redis[4], s.redis[5]}, w.watched)
		},
		"twins": w.readTwins,
		"pairs": w.readPairs,
	}
	for i, p := range w.points {
		all[fmt.Sprintf("%s, lane %d", p.space.name, i)] = func(ctx context.Context, s *server) error { return p.step(ctx, s.rest) }
	}
	for i, k := range w.keys {
		all[fmt.Sprintf("keys, lane %d", i)] = func(ctx context.Context, s *server) error { return k.step(ctx, s.redis[i]) }
	}
	for i := range 2 {
		all[fmt.Sprintf("counter %d", i)] = incrementer(2+i, w.rng.Uint64(), w.hits)
	}
	if w.calm {
		delete(all, "checkpoint")
	}
	return all
}

// report is what a run has seen.
type report struct {
	cycles, kills, stops, recoveries, checks int
	flight, kept                             int
	operations                               int64
	first                                    []time.Duration
}

func (w *world) acknowledged() int64 {
	n := w.hits.Total() + w.watched.Total() + int64(w.schema.lane.Total())
	for _, p := range w.points {
		n += int64(p.lane.Total())
	}
	for _, k := range w.keys {
		n += int64(k.lane.Total())
	}
	return n
}

func (r *report) String() string {
	slices.Sort(r.first)
	at := func(f float64) time.Duration {
		if len(r.first) == 0 {
			return 0
		}
		return r.first[int(f*float64(len(r.first)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d cycles: %d kills, %d stops, %d kills during recovery, %d checks\n"+
		"%d operations acknowledged, none lost; %d were in flight, %d of these were kept, each whole\n"+
		"first answer over both protocols: median %v, p90 %v, longest %v",
		r.cycles, r.kills, r.stops, r.recoveries, r.checks, r.operations, r.flight, r.kept, at(0.5), at(0.9), at(1))
}

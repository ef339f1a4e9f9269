// Command peers compares a search in process with hnswlib on the same data, parameters and
// core, in one run: rounds A B B A, the median of the ratios at equal recall.
//
//	go run ./test/peers -base base.fvecs -query query.fvecs -truth truth.i32 -hnswlib ./hnswlib
//
// See hnswlib/hnswlib.cpp for building the peer and for the formats.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/isobath/isobath/engine"
)

type options struct {
	base, query, truth, hnswlib, dir, metric string
	m, efConstruct, rounds                   int
	targets, efs, profile                    string
	filtered                                 bool
	collection                               string
	payload                                  func(rows [][]float32) func(i int) []byte // nil: none
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.base, "base", "base.fvecs", "rows")
	flag.StringVar(&o.query, "query", "query.fvecs", "queries")
	flag.StringVar(&o.truth, "truth", "truth.i32", "exact neighbours, 100 int32 a query")
	flag.StringVar(&o.hnswlib, "hnswlib", "", "the peer's program; empty: measure only ourselves")
	flag.StringVar(&o.dir, "dir", "", "data directory that is kept; empty: a temporary one")
	flag.StringVar(&o.metric, "metric", "cosine", "cosine or l2")
	flag.IntVar(&o.m, "m", 16, "links of a node")
	flag.IntVar(&o.efConstruct, "ef-construct", 200, "beam of the build")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of A B B A")
	flag.StringVar(&o.targets, "recalls", "0.90,0.95,0.98", "recalls at which throughput is compared")
	flag.StringVar(&o.efs, "efs", "40,60,80,120,160,200,240,320,400,480,640", "beams of the sweep")
	flag.StringVar(&o.profile, "profile", "", "write a processor profile of our sweep to this file")
	flag.BoolVar(&o.filtered, "filtered", false, "measure filters of falling selectivity instead")
	flag.Parse()
	o.collection = "bench"
	run := run
	if o.filtered {
		run = filtered
	}
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	var p *peer
	if o.hnswlib != "" {
		var err error
		if p, err = startPeer(o); err != nil {
			return err
		}
		defer p.close()
		fmt.Printf("hnswlib: built in %.1f s (0: from its cache)\n", p.build)
	}
	us, err := openUs(o)
	if err != nil {
		return err
	}
	defer us.close()
	runtime.GOMAXPROCS(1)
	ours, err := us.profiled(o)
	if err != nil {
		return err
	}
	fmt.Println("isobath:", ours)
	if p == nil {
		return nil
	}
	theirs, err := p.curve(o.efs)
	if err != nil {
		return err
	}
	fmt.Println("hnswlib:", theirs)
	for _, s := range strings.Split(o.targets, ",") {
		target, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return err
		}
		if err := compare(us, p, ours.ef(target), theirs.ef(target), target, o.rounds); err != nil {
			return err
		}
	}
	return nil
}

// compare runs both at the beams that reach the target and prints the median ratio.
func compare(us *us, p *peer, ourEf, theirEf int, target float64, rounds int) error {
	var ratios, ourQPS, theirQPS []float64
	var ourRecall, theirRecall float64
	for range rounds {
		var a, b [2]float64
		for i, which := range []int{0, 1, 1, 0} {
			var err error
			if which == 0 {
				ourRecall, a[i/2], err = us.measure(ourEf)
			} else {
				theirRecall, b[i/2], err = p.measure(theirEf)
			}
			if err != nil {
				return err
			}
		}
		ratios = append(ratios, (a[0]+a[1])/(b[0]+b[1]))
		ourQPS, theirQPS = append(ourQPS, (a[0]+a[1])/2), append(theirQPS, (b[0]+b[1])/2)
	}
	slices.Sort(ratios)
	fmt.Printf("recall@10 %.2f: isobath ef %d (%.4f) %.0f q/s, hnswlib ef %d (%.4f) %.0f q/s, ratio %.2f (%.2f to %.2f)\n",
		target, ourEf, ourRecall, median(ourQPS), theirEf, theirRecall, median(theirQPS), median(ratios), ratios[0], ratios[len(ratios)-1])
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// curve is recall and throughput over the beam.
type curve []point

type point struct {
	ef          int
	recall, qps float64
}

func (c curve) String() string {
	var b strings.Builder
	for _, p := range c {
		fmt.Fprintf(&b, "  ef %d: %.4f %.0f q/s", p.ef, p.recall, p.qps)
	}
	return b.String()
}

// ef returns the beam that reaches the recall, interpolated.
func (c curve) ef(target float64) int {
	for i, p := range c {
		if p.recall < target {
			continue
		}
		if i == 0 {
			return p.ef
		}
		q := c[i-1]
		return int(math.Ceil(float64(q.ef) + (target-q.recall)/(p.recall-q.recall)*float64(p.ef-q.ef)))
	}
	return c[len(c)-1].ef
}

func sweep(efs string, measure func(ef int) (float64, float64, error)) (curve, error) {
	var c curve
	for _, s := range strings.Split(efs, ",") {
		ef, err := strconv.Atoi(s)
		if err != nil {
			return nil, err
		}
		recall, qps, err := measure(ef)
		if err != nil {
			return nil, err
		}
		c = append(c, point{ef, recall, qps})
	}
	return c, nil
}

// us is the database in process.
type us struct {
	db      *engine.DB
	c       *engine.Collection
	queries [][]float32
	truth   []int32
	remove  string
}

func openUs(o options) (*us, error) {
	u := &us{}
	var err error
	if u.queries, err = readFvecs(o.query); err != nil {
		return nil, err
	}
	truth, err := os.ReadFile(o.truth)
	if err != nil {
		return nil, err
	}
	for i := 0; i+4 <= len(truth); i += 4 {
		u.truth = append(u.truth, int32(binary.LittleEndian.Uint32(truth[i:])))
	}
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "isobath-peers"); err != nil {
			return nil, err
		}
		u.remove = dir
	}
	if u.db, err = engine.Open(dir, engine.Options{}); err != nil {
		return nil, err
	}
	if u.c, err = u.db.Collection(o.collection); err != nil {
		if err := u.load(o); err != nil {
			return nil, err
		}
	}
	return u, u.settle()
}

func (u *us) load(o options) error {
	ctx := context.Background()
	rows, err := readFvecs(o.base)
	if err != nil {
		return err
	}
	d := engine.Cosine
	if o.metric == "l2" {
		d = engine.Euclid
	}
	params := engine.VectorParams{Size: len(rows[0]), Distance: d, M: o.m, EfConstruct: o.efConstruct}
	if err := u.db.CreateCollection(ctx, o.collection, engine.Schema{Vectors: map[string]engine.VectorParams{"": params}}); err != nil {
		return err
	}
	if u.c, err = u.db.Collection(o.collection); err != nil {
		return err
	}
	payload := func(int) []byte { return nil }
	if o.payload != nil {
		payload = o.payload(rows)
	}
	began := time.Now()
	for at := 0; at < len(rows); at += 1000 {
		part := rows[at:min(at+1000, len(rows))]
		points := make([]engine.Point, len(part))
		for i, row := range part {
			points[i] = engine.Point{ID: engine.NumID(uint64(at + i)), Vectors: engine.Vectors{"": row}, Payload: payload(at + i)}
		}
		if _, err := u.c.Upsert(ctx, points, engine.UpsertOptions{}); err != nil {
			return err
		}
	}
	took := time.Since(began)
	fmt.Printf("isobath: %d rows acknowledged in %.1f s (%.0f rows/s)\n", len(rows), took.Seconds(), float64(len(rows))/took.Seconds())
	return nil
}

// settle waits until background work is done.
func (u *us) settle() error {
	began := time.Now()
	for {
		info := u.c.Info()
		if info.Status == engine.Green {
			v := info.Vectors[""]
			fmt.Printf("isobath: at rest after %.1f s, %d segments, tail %d\n", time.Since(began).Seconds(), v.Segments, v.Tail)
			return nil
		}
		if time.Since(began) > time.Hour {
			return fmt.Errorf("not at rest after an hour: %+v", info)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// profiled is curve, under the profiler if asked for.
func (u *us) profiled(o options) (curve, error) {
	if o.profile == "" {
		return u.curve(o.efs)
	}
	f, err := os.Create(o.profile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	c, err := u.curve(o.efs)
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		return nil, err
	}
	return c, err
}

func (u *us) curve(efs string) (curve, error) { return sweep(efs, u.measure) }

func (u *us) measure(ef int) (recall, qps float64, err error) {
	found := 0
	began := time.Now()
	for i, q := range u.queries {
		res, err := u.c.Search(context.Background(), engine.SearchRequest{Query: q, K: 10, Ef: ef})
		if err != nil {
			return 0, 0, err
		}
		truth := u.truth[i*100 : i*100+10]
		for _, h := range res.Hits {
			if slices.Contains(truth, int32(h.ID.Num())) {
				found++
			}
		}
	}
	took := time.Since(began).Seconds()
	return float64(found) / float64(10*len(u.queries)), float64(len(u.queries)) / took, nil
}

func (u *us) close() {
	if err := u.db.Close(); err != nil {
		log.Print(err)
	}
	if u.remove != "" {
		if err := os.RemoveAll(u.remove); err != nil {
			log.Print(err)
		}
	}
}

// peer is hnswlib in a process of its own.
type peer struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	build float64
}

func startPeer(o options) (*peer, error) {
	metric := "ip"
	if o.metric == "l2" {
		metric = "l2"
	}
	cache := fmt.Sprintf("%s.m%d.efc%d.hnswlib", o.base, o.m, o.efConstruct)
	p := &peer{cmd: exec.Command(o.hnswlib, o.base, o.query, o.truth, metric, strconv.Itoa(o.m), strconv.Itoa(o.efConstruct), filepath.Clean(cache))}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	_, err = fmt.Fscanf(p.out, "ready %f\n", &p.build)
	return p, err
}

func (p *peer) curve(efs string) (curve, error) { return sweep(efs, p.measure) }

func (p *peer) measure(ef int) (recall, qps float64, err error) {
	if _, err = fmt.Fprintf(p.in, "%d 1\n", ef); err != nil {
		return 0, 0, err
	}
	_, err = fmt.Fscanf(p.out, "%f %f\n", &recall, &qps)
	return recall, qps, err
}

func (p *peer) close() {
	if err := p.in.Close(); err != nil {
		log.Print(err)
	}
	if err := p.cmd.Wait(); err != nil {
		log.Print(err)
	}
}

func readFvecs(name string) ([][]float32, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var rows [][]float32
	for len(b) >= 4 {
		d := int(binary.LittleEndian.Uint32(b))
		if d < 1 || len(b) < 4+4*d {
			return nil, fmt.Errorf("%s: row %d is cut or damaged", name, len(rows))
		}
		row := make([]float32, d)
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4+4*i:]))
		}
		rows, b = append(rows, row), b[4+4*d:]
	}
	return rows, nil
}

package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/isobath/isobath/internal/dataset"
	"github.com/isobath/isobath/test/peers"
)

// noPeerError says why there is no peer.
type noPeerError struct{ reason string }

func (e *noPeerError) Error() string { return e.reason }

// peer is hnswlib in a process of its own, see test/peers/hnswlib.
type peer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	rows int // of the set
	n    int // queries
	// of the build; zero when the graph came from the cache
	built, builtCPU time.Duration
}

// peerProgram returns the path of the peer's program, or a *noPeerError.
func (r *Run) peerProgram(ctx context.Context) (string, error) {
	switch r.Peer {
	case "off":
		return "", &noPeerError{"hnswlib was not asked for"}
	case "":
	default:
		if _, err := os.Stat(r.Peer); err != nil {
			return "", fmt.Errorf("bench: hnswlib: %w", err)
		}
		return r.Peer, nil
	}
	compiler, err := exec.LookPath("g++")
	if err != nil {
		return "", &noPeerError{"hnswlib is left out: no g++"}
	}
	sum := sha256.Sum256(peers.HNSWLib)
	program := filepath.Join(r.Cache, fmt.Sprintf("hnswlib-%x", sum[:6]))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	source := filepath.Join(r.temp, "hnswlib.cpp")
	if err := errors.Join(os.MkdirAll(r.Cache, 0o700), os.WriteFile(source, peers.HNSWLib, 0o600)); err != nil {
		return "", err
	}
	r.say("building hnswlib's driver")
	out, err := exec.CommandContext(ctx, compiler, "-O3", "-march=native", "-std=c++17", source, "-o", program+".tmp", "-lpthread").CombinedOutput()
	if err != nil {
		return "", &noPeerError{fmt.Sprintf("hnswlib is left out: its driver does not compile (Debian: libhnswlib-dev): %.300s", out)}
	}
	return program, os.Rename(program+".tmp", program)
}

// startPeer loads or builds the peer's graph. With fresh it builds, and keeps nothing.
func (r *Run) startPeer(ctx context.Context, threads int, fresh bool) (*peer, error) {
	program, err := r.peerProgram(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.exact(ctx); err != nil {
		return nil, err
	}
	base, err := r.exported(ctx)
	if err != nil {
		return nil, err
	}
	query := filepath.Join(r.temp, "query.fvecs")
	if err := writeFile(query, func(w io.Writer) error { return dataset.WriteFvecs(w, r.set.Queries) }); err != nil {
		return nil, err
	}
	metric, graph := "ip", "-"
	if r.set.Metric == dataset.L2 {
		metric = "l2"
	}
	if !fresh {
		graph = r.set.RowsCacheFile(r.Cache, fmt.Sprintf("m%d-efc%d.hnswlib", r.M, r.EfConstruct))
	}
	p := &peer{rows: r.set.Rows, n: r.set.Queries.Len()}
	p.cmd = exec.CommandContext(ctx, program, base, query, r.set.CacheFile(r.Cache, "truth.i32"), metric,
		strconv.Itoa(r.M), strconv.Itoa(r.EfConstruct), strconv.Itoa(threads), graph)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	r.say("hnswlib: loading, or building with %d threads", threads)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var wall, cpu float64
	var rows int
	if _, err = fmt.Fscanf(p.out, "ready %d %f %f\n", &rows, &wall, &cpu); err == nil && rows != p.rows {
		err = fmt.Errorf("%d rows, want %d", rows, p.rows)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: hnswlib does not answer: %w", err), p.close())
	}
	p.built, p.builtCPU = seconds(wall), seconds(cpu)
	return p, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// exported returns the rows as an fvecs file, written to the cache unless it is there.
func (r *Run) exported(ctx context.Context) (string, error) {
	name := r.set.RowsCacheFile(r.Cache, "base.fvecs")
	want := int64(r.set.Rows) * int64(4+4*r.set.Dim)
	if info, err := os.Stat(name); err == nil && info.Size() == want {
		return name, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	r.say("writing the rows for hnswlib, %d MB", want>>20)
	err := writeFile(name, func(w io.Writer) error {
		return r.set.Each(ctx, 0, r.set.Rows, 4096, 1, func(_, _ int, rows *dataset.Rows) error { return dataset.WriteFvecs(w, rows) })
	})
	return name, err
}

// writeFile writes a file through a buffer; it appears when it is complete.
func writeFile(name string, fill func(w io.Writer) error) (err error) {
	f, err := os.Create(name + ".tmp")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(fill(w), w.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name+".tmp"))
	}
	return os.Rename(name+".tmp", name)
}

// measure asks all queries.
func (p *peer) measure(ef, k, threads int) (Point, error) {
	if _, err := fmt.Fprintf(p.in, "%d %d %d\n", ef, k, threads); err != nil {
		return Point{}, fmt.Errorf("bench: hnswlib: %w", err)
	}
	var recall, wall, cpu, distances, hops, p50, p95, p99 float64
	_, err := fmt.Fscanf(p.out, "%f %f %f %f %f %f %f %f\n", &recall, &wall, &cpu, &distances, &hops, &p50, &p95, &p99)
	if err != nil {
		return Point{}, fmt.Errorf("bench: hnswlib: %w", err)
	}
	n := float64(p.n)
	return Point{
		Ef: ef, Recall: recall, QPS: n / wall, CPUQPS: n / cpu, Counters: Counters{Distances: distances, Hops: hops},
		Latency: Latency{P50: seconds(p50 / 1e6), P95: seconds(p95 / 1e6), P99: seconds(p99 / 1e6)},
	}, nil
}

// sweep measures the peer's curve.
func (p *peer) sweep(r *Run, threads int) (curve, error) {
	var c curve
	for _, ef := range r.Efs {
		if ef < r.K {
			continue
		}
		x, err := p.measure(ef, r.K, threads)
		if err != nil {
			return nil, err
		}
		c = append(c, x)
	}
	return c, nil
}

func (p *peer) close() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrExited is returned when the server ended although nobody asked it to.
var ErrExited = errors.New("daemon: the server has ended by itself")

// Build compiles cmd/isobath into dir and returns the program's path.
func Build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "isobath")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/isobath/isobath/cmd/isobath")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("daemon: build: %w\n%s", err, out)
	}
	return bin, nil
}

// Options of Start.
type Options struct {
	Bin string   // the program
	Dir string   // data directory
	Log string   // file that output is appended to; default: kept in memory
	Env []string // added to the environment
	// Args are added behind "serve --data-dir ...".
	Args []string
	// Group is the directory of a control group that the server joins before it begins; default:
	// that of this process.
	Group string
}

// Process is one run of the server.
type Process struct {
	HTTP, RESP string // addresses
	Started    time.Time

	cmd    *exec.Cmd
	out    *tail
	file   *os.File
	ended  chan struct{}
	err    error // of Wait, after ended
	asked  sync.Once
	killed chan struct{} // closed when somebody asked it to end
}

// Start starts the server and returns at once.
func Start(o Options) (*Process, error) {
	httpAddr, respAddr, err := freePorts()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--data-dir", o.Dir, "--http-addr", httpAddr, "--resp-addr", respAddr}, o.Args...)
	cmd := exec.Command(o.Bin, args...)
	if o.Group != "" { // the shell joins and becomes the server
		cmd = exec.Command("/bin/sh", append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, o.Group, o.Bin}, args...)...)
	}
	p := &Process{
		HTTP: httpAddr, RESP: respAddr, cmd: cmd,
		out: &tail{}, ended: make(chan struct{}), killed: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), o.Env...)
	var out io.Writer = p.out
	if o.Log != "" {
		if p.file, err = os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("daemon: %w", err)
		}
		out = io.MultiWriter(p.out, p.file)
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.Started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("daemon: start: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		if p.file != nil {
			_ = p.file.Close()
		}
		close(p.ended)
	}()
	return p, nil
}

// freePorts returns two loopback addresses that nobody listens on.
func freePorts() (a, b string, err error) {
	var addrs [2]string
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", fmt.Errorf("daemon: free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		addrs[i] = l.Addr().String()
	}
	return addrs[0], addrs[1], nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// URL returns the address of an HTTP path.
func (p *Process) URL(path string) string { return "http://" + p.HTTP + path }

// Ready waits until the server says that it serves queries.
func (p *Process) Ready(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	for {
		if resp, err := client.Get(p.URL("/readyz")); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%w: %v\n%s", ErrExited, p.err, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("daemon: not ready: %w\n%s", ctx.Err(), p.Output())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Asked says whether Kill or Stop has been called: from then on lost connections are no surprise.
func (p *Process) Asked() bool {
	select {
	case <-p.killed:
		return true
	default:
		return false
	}
}

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill sends SIGKILL and waits for the end. It returns ErrExited when the server was gone before.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL, time.Minute) }

// Stop sends SIGTERM and waits for a clean exit.
func (p *Process) Stop() error {
	if err := p.end(syscall.SIGTERM, time.Minute); err != nil {
		return err
	}
	if p.err != nil {
		return fmt.Errorf("daemon: stop: %w\n%s", p.err, p.Output())
	}
	return nil
}

func (p *Process) end(sig syscall.Signal, patience time.Duration) error {
	early := false
	p.asked.Do(func() {
		select {
		case <-p.ended:
			early = true
		default:
		}
		close(p.killed)
	})
	if early {
		return fmt.Errorf("%w: %v\n%s", ErrExited, p.err, p.Output())
	}
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // for the goroutines in the output
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
		return fmt.Errorf("daemon: not gone %s after %s\n%s", patience, sig, p.Output())
	}
}

// Output returns the last part of what the server printed.
func (p *Process) Output() string { return p.out.String() }

// Check runs "isobath check" on a directory that no process holds.
func Check(ctx context.Context, bin, dir string) error {
	out, err := exec.CommandContext(ctx, bin, "check", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("daemon: check %s: %w\n%s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// tail keeps the last bytes written.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailBytes = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if extra := t.buf.Len() - tailBytes; extra > 0 {
		t.buf.Next(extra)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

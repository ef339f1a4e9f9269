package daemon

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Memory is what a process holds, in bytes.
type Memory struct {
	Anon, RSS, Peak int64            // RssAnon, VmRSS, VmHWM
	Parts           map[string]int64 // resident bytes by component, from the mappings
}

// Memory reads /proc of the process.
func (p *Process) Memory() (Memory, error) {
	m, err := p.status()
	if err != nil {
		return Memory{}, err
	}
	part := ""
	err = eachLine(fmt.Sprintf("/proc/%d/smaps", p.PID()), func(line string) {
		name, rest, _ := strings.Cut(line, ":")
		if name == "Rss" {
			bytes, _ := kilobytes(rest)
			m.Parts[part] += bytes
		} else if fields := strings.Fields(line); len(fields) >= 5 && strings.Contains(fields[0], "-") {
			part = component(line, fields)
		}
	})
	return m, err
}

// anon returns RssAnon.
func (p *Process) anon() (int64, error) {
	m, err := p.status()
	return m.Anon, err
}

// status reads all of Memory but Parts, which is empty.
func (p *Process) status() (Memory, error) {
	m := Memory{Parts: map[string]int64{}}
	err := eachLine(fmt.Sprintf("/proc/%d/status", p.PID()), func(line string) {
		name, rest, _ := strings.Cut(line, ":")
		bytes, _ := kilobytes(rest)
		switch name {
		case "RssAnon":
			m.Anon = bytes
		case "VmRSS":
			m.RSS = bytes
		case "VmHWM":
			m.Peak = bytes
		}
	})
	return m, err
}

// ReadBytes returns what the process has had read from disks.
func (p *Process) ReadBytes() (n int64, err error) {
	err = eachLine(fmt.Sprintf("/proc/%d/io", p.PID()), func(line string) {
		if rest, ok := strings.CutPrefix(line, "read_bytes: "); ok {
			n, _ = strconv.ParseInt(rest, 10, 64)
		}
	})
	return n, err
}

// component names what a mapping belongs to: the first line of its entry in smaps.
func component(line string, fields []string) string {
	if len(fields) == 5 {
		return "anonymous"
	}
	name := line[strings.Index(line, fields[5]):]
	base := filepath.Base(name)
	switch {
	case strings.HasPrefix(name, "[anon:"):
		return strings.TrimSuffix(strings.TrimPrefix(name, "[anon: "), "]")
	case strings.HasPrefix(name, "["):
		return name
	case strings.Contains(name, "/badger/"):
		return "badger " + strings.TrimPrefix(filepath.Ext(base), ".")
	case filepath.Ext(base) != "":
		return "files " + filepath.Ext(base)
	}
	return "files " + strings.TrimRight(base, "0123456789-")
}

func kilobytes(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "kB")), 10, 64)
	return n << 10, err
}

func eachLine(name string, fn func(line string)) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	defer func() { _ = f.Close() }()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		fn(sc.Text())
	}
	return sc.Err()
}

// Disk returns the bytes that the files below dir occupy, by the first folder below dir and in
// all. Files that vanish meanwhile count nothing.
func Disk(dir string) (total int64, parts map[string]int64, err error) {
	parts = map[string]int64{}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil
			}
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		parts[first] += st.Blocks * 512
		total += st.Blocks * 512
		return nil
	})
	return total, parts, err
}

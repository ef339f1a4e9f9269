package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Machine is what figures depend on and a run does not change. What the system does not tell is
// empty.
type Machine struct {
	CPU      string   `json:"cpu"`
	Cores    int      `json:"cores"`
	Memory   int64    `json:"memory_bytes"`
	Kernel   string   `json:"kernel"`
	Governor string   `json:"governor"`
	Go       string   `json:"go"`
	Kernels  string   `json:"kernels"` // of distance computations
	Revision string   `json:"revision"`
	Modified bool     `json:"modified"` // the sources differed from the revision
	Args     []string `json:"args"`
}

// Conditions is what the machine was busy with.
type Conditions struct {
	LoadAverage string            `json:"load_average"`
	Pressure    map[string]string `json:"pressure"` // of cpu, io and memory: the kernel's own words

	cpu cpuTimes
	own usage
}

// cpuTimes are jiffies since the start of the system.
type cpuTimes struct{ all, idle, steal int64 }

func (t cpuTimes) stealSince(o cpuTimes) float64 {
	if t.all <= o.all {
		return 0
	}
	return float64(t.steal-o.steal) / float64(t.all-o.all)
}

func machine() Machine {
	m := Machine{
		Cores: runtime.NumCPU(), Go: runtime.Version(), Kernels: distance.Level(), Args: os.Args,
		Kernel:   firstLine("/proc/sys/kernel/osrelease"),
		Governor: firstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		CPU:      value("/proc/cpuinfo", "model name"),
	}
	kilobytes, _, _ := strings.Cut(value("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.ParseInt(kilobytes, 10, 64); err == nil {
		m.Memory = n << 10
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				m.Revision = s.Value
			case "vcs.modified":
				m.Modified = s.Value == "true"
			}
		}
	}
	return m
}

func conditions() Conditions {
	c := Conditions{LoadAverage: firstLine("/proc/loadavg"), Pressure: map[string]string{}}
	for _, what := range []string{"cpu", "io", "memory"} {
		if text, err := os.ReadFile("/proc/pressure/" + what); err == nil {
			c.Pressure[what] = strings.TrimSpace(string(text))
		}
	}
	// cpu user nice system idle iowait irq softirq steal ...
	fields := strings.Fields(firstLine("/proc/stat"))
	for i := 1; i < min(len(fields), 9); i++ {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			break
		}
		c.cpu.all += n
		switch i {
		case 4, 5:
			c.cpu.idle += n
		case 8:
			c.cpu.steal = n
		}
	}
	self, children := usageOf(syscall.RUSAGE_SELF), usageOf(syscall.RUSAGE_CHILDREN)
	c.own = usage{self.processor + children.processor, self.majorFaults + children.majorFaults}
	return c
}

// foreignSince returns what part of the processor time since o others used: neither this process nor children that it waited for.
// A server that it did not start is one of them.
func (c *Conditions) foreignSince(o *Conditions) float64 {
	const jiffy = 10 * time.Millisecond // USER_HZ is 100 on all that we build for
	all := c.cpu.all - o.cpu.all
	if all <= 0 {
		return 0
	}
	busy := all - (c.cpu.idle - o.cpu.idle) - (c.cpu.steal - o.cpu.steal)
	return max(0, float64(busy)-float64(c.own.processor-o.own.processor)/float64(jiffy)) / float64(all)
}

func firstLine(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// value returns what follows "key :" in a file of such lines.
func value(name, key string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		k, v, _ := strings.Cut(line, ":")
		if strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// usage is what processes have used.
type usage struct {
	processor   time.Duration
	majorFaults int64 // pages that had to be read from disk
}

// usageOf returns the usage of this process or of the children that it waited for, nothing where that is not known.
func usageOf(who int) usage {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return usage{}
	}
	return usage{time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Majflt}
}

// processorTime returns what this process has used of the processors.
func processorTime() time.Duration { return usageOf(syscall.RUSAGE_SELF).processor }

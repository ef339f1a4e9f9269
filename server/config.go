package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/isobath/isobath/server/httpapi"
)

// Config is everything a server needs to know. Load makes one from file, environment and flags.
type Config struct {
	DataDir  string // default ./isobath-data
	HTTPAddr string // default 127.0.0.1:6333
	RESPAddr string // default 127.0.0.1:6379; "off": RESP is not served
	// MemoryLimit bounds anonymous memory and the Go heap, in bytes; default 75 % of the
	// machine or the control group.
	MemoryLimit int64

	APIKey, AltAPIKey, ReadOnlyAPIKey string
	Password                          string // RESP's requirepass
	// InsecureNoAuth allows addresses that other machines reach without any key.
	InsecureNoAuth bool
	EnableCORS     bool

	MaxBodyBytes int64 // of HTTP; default 32 MiB
	Workers      int   // goroutines that build graphs; default one less than the processors, at least one
	Databases    int   // of RESP; default 16
	Defaults     httpapi.Defaults
	RESP         map[string]string // start values of CONFIG parameters

	LogLevel slog.Level
	Version  string
	Log      *slog.Logger // nil: nothing is logged
}

func (c Config) withDefaults() Config {
	c.DataDir = cmp.Or(c.DataDir, "./isobath-data")
	c.HTTPAddr = cmp.Or(c.HTTPAddr, "127.0.0.1:6333")
	c.RESPAddr = cmp.Or(c.RESPAddr, "127.0.0.1:6379")
	c.Databases = cmp.Or(c.Databases, 16)
	if c.MemoryLimit == 0 {
		c.MemoryLimit = defaultMemory()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

const respOff = "off"

// validate reports every bad setting.
func (c Config) validate() error {
	var errs []error
	if err := c.Defaults.Check(); err != nil {
		errs = append(errs, fmt.Errorf("server: %w", err))
	}
	if c.MemoryLimit < 128<<20 {
		errs = append(errs, fmt.Errorf("server: memory limit of %d bytes is below 128 MiB", c.MemoryLimit))
	}
	key := c.APIKey != "" || c.AltAPIKey != "" || c.ReadOnlyAPIKey != "" || c.Password != ""
	for _, a := range []struct{ flag, addr string }{{"--http-addr", c.HTTPAddr}, {"--resp-addr", c.RESPAddr}} {
		if a.addr == respOff && a.flag == "--resp-addr" {
			continue
		}
		local, err := loopback(a.addr)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("server: %s: %w", a.flag, err))
		case !local && !key && !c.InsecureNoAuth:
			errs = append(errs, fmt.Errorf("server: %s %s can be reached by other machines and no key is configured: "+
				"set service.api_key (ISOBATH__SERVICE__API_KEY), or pass --insecure-no-auth to serve everyone", a.flag, a.addr))
		}
	}
	return errors.Join(errs...)
}

// loopback says whether only this machine reaches an address.
func loopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, err
	}
	if host == "localhost" {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}

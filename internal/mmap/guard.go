package mmap

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// FaultError tells that reading a mapping failed: the disk did not deliver, or the file is shorter
// than its mapping.
type FaultError struct {
	Name string // as passed to Guard
	Addr uintptr
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("mmap: fault while reading %s (address %#x)", e.Name, e.Addr)
}

// Guard runs fn and returns its error. A fault on a live Region becomes a *FaultError; other panics,
// faults elsewhere among them, continue. Guards nest.
func Guard(name string, fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		v := recover()
		if v == nil {
			return
		}
		if f, ok := v.(faulted); ok && live.holds(f.Addr()) {
			err = &FaultError{Name: name, Addr: f.Addr()}
			return
		}
		panic(v)
	}()
	return fn()
}

// faulted is what the runtime panics with at a fault under SetPanicOnFault.
type faulted interface {
	runtime.Error
	Addr() uintptr
}

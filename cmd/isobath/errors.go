package main

import (
	"errors"
	"fmt"
	"net/url"
	"syscall"

	"github.com/isobath/isobath/engine"
)

// advise adds to an error what to do about it.
func advise(err error) error {
	var call *url.Error
	switch {
	case errors.Is(err, engine.ErrLocked):
		return fmt.Errorf("%w: stop that process first, or name another directory", err)
	case errors.As(err, &call) && errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: start a server with 'isobath serve', or name another one with --url", err)
	}
	return err
}

//go:build !linux

package bench

import "errors"

// group is a memory control group, which only Linux has.
type group struct{ dir string }

func newGroup(int64) (*group, error) { return nil, errors.New("there are no control groups here") }

func (g *group) peak() int64 { return 0 }

func (g *group) remove() error { return nil }

package respapi

import (
	"errors"
	"strconv"
)

// words reads arguments one after the other.
type words struct {
	args [][]byte
	i    int
}

func (a *words) more() bool { return a.i < len(a.args) }

// take steps over a keyword if it is next.
func (a *words) take(keyword string) bool {
	if a.more() && is(a.args[a.i], keyword) {
		a.i++
		return true
	}
	return false
}

// next returns the next argument, which belongs to the clause of that name.
func (a *words) next(clause string) ([]byte, error) {
	if !a.more() {
		return nil, ftErrorf("Bad arguments for %s: Expected an argument, but none provided", clause)
	}
	a.i++
	return a.args[a.i-1], nil
}

// list reads a number and as many arguments.
func (a *words) list(clause string) ([][]byte, error) {
	n, err := a.int(clause, 0)
	if err != nil {
		return nil, err
	}
	if n > len(a.args)-a.i {
		return nil, ftErrorf("Bad arguments for %s: Expected an argument, but none provided", clause)
	}
	a.i += n
	return a.args[a.i-n : a.i], nil
}

func (a *words) int(clause string, least int) (int, error) {
	b, err := a.next(clause)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(b), 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && int(n) < least:
		return 0, ftErrorf("Bad arguments for %s: Value is outside acceptable bounds", clause)
	case err != nil:
		return 0, ftErrorf("Bad arguments for %s: Could not convert argument to expected type", clause)
	}
	return int(n), nil
}

package httpapi

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// parameters reads the query string that all calls share: wait, timeout, ordering, consistency, and explain.
// A single node is always as strong as it can be, so the last two are only checked.
func (r *request) parameters() (context.CancelFunc, error) {
	nothing := func() {}
	if r.URL.RawQuery == "" {
		return nothing, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nothing, queryFormatError("%v", err)
	}
	if r.wait, err = boolParameter(values.Get("wait"), "wait", false); err != nil {
		return nothing, err
	}
	if r.explain, err = boolParameter(values.Get("explain"), "explain", false); err != nil {
		return nothing, err
	}
	switch s := values.Get("ordering"); s {
	case "", "weak", "medium", "strong":
	default:
		return nothing, queryFormatError("unknown variant `%s`, expected one of `weak`, `medium`, `strong`", clip(s))
	}
	var found violations
	switch s := values.Get("consistency"); s {
	case "", "majority", "quorum", "all":
	default:
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			return nothing, queryFormatError("failed to parse read consistency: `%s` is neither a number nor one of `majority`, `quorum`, `all`", clip(s))
		}
		atLeast(&found, "consistency", &n, 1)
	}
	var timeout uint64
	if s := values.Get("timeout"); s != "" {
		if timeout, err = strconv.ParseUint(s, 10, 64); err != nil {
			return nothing, queryFormatError("timeout: invalid value `%s`, expected an unsigned integer", clip(s))
		}
		atLeast(&found, "timeout", &timeout, 1)
	}
	if err := found.err("query parameters"); err != nil {
		return nothing, err
	}
	if timeout == 0 {
		return nothing, nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Duration(min(timeout, 1<<31))*time.Second)
	r.ctx = ctx
	return cancel, nil
}

func boolParameter(s, name string, standard bool) (bool, error) {
	switch s {
	case "":
		return standard, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, queryFormatError("%s: provided string was not `true` or `false`", name)
}

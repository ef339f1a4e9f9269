package querylang

import (
	"strconv"

	"github.com/isobath/isobath/filter"
)

func value(v filter.Value) string { return strconv.Quote(v.String()) }

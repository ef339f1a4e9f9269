package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// keyPrefix stands before the number of a row in its key.
const keyPrefix = "row:"

// rowOfKey returns the number of a row from its key.
func rowOfKey(key string) (int32, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(key, keyPrefix), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("bench: the index found %q", key)
	}
	return int32(n), nil
}

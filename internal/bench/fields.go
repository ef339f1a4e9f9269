package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// ownNumbers reads the integer fields that the set's rows bring along.
func (r *Run) ownNumbers() (map[string][]int, error) {
	names := r.set.FieldNames("integer")
	if len(names) == 0 {
		return nil, nil
	}
	payload, err := r.set.Payload()
	if err != nil {
		return nil, err
	}
	own := map[string][]int{}
	for _, name := range names {
		own[name] = make([]int, r.set.Rows)
	}
	for row := range r.set.Rows {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(payload(row), &object); err != nil {
			return nil, fmt.Errorf("bench: payload of row %d: %w", row, err)
		}
		for _, name := range names {
			if own[name][row], err = strconv.Atoi(string(object[name])); err != nil {
				return nil, fmt.Errorf("bench: payload of row %d, field %s: %w", row, name, err)
			}
		}
	}
	return own, nil
}

// payloadOf returns the JSON objects of rows with these numbers.
func payloadOf(numbers map[string][]int) func(row int) []byte {
	names := slices.Sorted(maps.Keys(numbers))
	return func(row int) []byte {
		b := []byte("{")
		for i, name := range names {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, "%q:%d", name, numbers[name][row])
		}
		return append(b, '}')
	}
}

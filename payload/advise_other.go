//go:build !linux

package payload

func adviseMaps(_ string, _ map[string]bool, told map[string]int) map[string]int { return told }

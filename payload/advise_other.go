//go:build !linux

package payload

func adviseTables(_ string, told map[string]int) map[string]int { return told }

//go:build !linux

package payload

func adviseTables(string) {}

//go:build !linux

package mmap

func advise([]byte, Advice) error { return nil }

//go:build !unix

package mmap

import "errors"

const alwaysHeap = true

func reserve(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func release([]byte) {}

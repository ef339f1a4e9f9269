// Package peers holds the drivers of the libraries that "isobath bench" measures beside Isobath.
package peers

import _ "embed"

// HNSWLib is the source of hnswlib's driver; its top says how it is built and what it answers.
//
//go:embed hnswlib/hnswlib.cpp
var HNSWLib []byte

//go:build tools

// Package tools pins what only the generators of assembly need, in a module of its own: the product does not depend
// on it. See the go:generate lines in mmapvec/distance and mmapvec/quant.
package tools

import _ "github.com/mmcloughlin/avo/build"

//go:build tools

// Package tools pins what only the generators of assembly need, in a module of its own: the product does not depend
// on it. CI regenerates and wants no difference:
//
//	go generate ./mmapvec/distance ./mmapvec/quant && git diff --exit-code -- mmapvec
package tools

import _ "github.com/mmcloughlin/avo/build"

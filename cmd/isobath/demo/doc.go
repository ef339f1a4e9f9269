// Package demo holds the bundled data set, end-user programs of Debian 12 with a text embedding
// each, and the encoder that embeds a question the same way. The files in data are gzip
// streams; NOTICE in the module's root says where they come from.
//
//	packages.jsonl  one Program a line, without its vector
//	packages.q8     row i belongs to line i: float32 scale, then 100 int8; value = scale x int8
//	words.txt       "word rank" a line; rank 0 is the most frequent word of the source vocabulary
//	words.q8        row i is the vector of word i, coded in the same way, not normalised
//	component.f32   first principal component of the corpus, 100 float32
//
// All numbers are little-endian. Values of this package are safe for concurrent reading.
package demo

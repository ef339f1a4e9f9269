// Package querylang turns the query text of FT.SEARCH and FT.AGGREGATE into a filter.Expr and, if there is one, a vector clause.
//
//	q, err := querylang.Parse([]byte("(@genre:{comedy|horror} @year:[2015 +inf])=>[KNN 10 @vec $q AS d]"), schema, params, querylang.Options{})
//	// q.Filter: and(match any genre, range year); q.KNN: K 10, field vec, the blob, distance name d
//
// The parser is written by hand: one cursor over the bytes, no token list, one function a grammar rule. The names in the
// expression are the aliases the Schema gave. Tags are unescaped, trimmed and, unless the field is case sensitive, folded;
// numbers are float64. Every mistake is an *Error whose text is what a client of the FT commands is shown.
//
// Terms of full-text search and VECTOR_RANGE are recognised and refused: neither is implemented yet.
//
// Parse keeps no state and is safe for concurrent use.
package querylang

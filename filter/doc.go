// Package filter holds the one filter language inside Isobath and the indexes that answer it.
//
// An Expr is a condition on a point: payload fields, id, vectors. It has two evaluators. Eval (or a
// compiled Predicate) looks at one point's raw JSON; it is slow, obvious, and the definition. A State
// answers the same expressions through indexes with a set of slots:
//
//	ed := filter.NewState().Edit()
//	def := filter.FieldDef{Name: "tag", Kind: filter.Keyword}
//	ed.AddField(def)
//	ed.Add(7)
//	ed.Put("tag", 7, filter.Extract(def, []byte(`{"tag":["red","blue"]}`)))
//	st := ed.Commit()
//	res, err := st.Resolve(filter.Match{Field: "tag", Value: filter.StringValue("red")}, nil)
//
// What the indexes cannot answer comes back as res.Residual, to be evaluated on the candidates.
//
// # Terms
//
// A table is an immutable sorted map from index keys (field, kind, value) to the slots that have the
// value, together with the slots it changed. A State is a stack of tables: frozen ones in mapped
// files, newer ones in memory. A lookup walks the stack upwards: (result AND NOT changed) OR posting.
// Commits add small tables on top, which are merged geometrically, so that the cost of a commit does
// not grow with the amount of changes before it.
//
// # Concurrency
//
// A State is immutable and safe for concurrent use. Edit, Commit, BeginSave and FinishSave belong to
// one writer at a time; Save.Run may go on beside the writer.
//
// Files are described in FORMAT.md.
package filter

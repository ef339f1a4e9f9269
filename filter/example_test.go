package filter_test

import (
	"fmt"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/vfs"
)

func Example() {
	def := filter.FieldDef{Name: "tag", Kind: filter.Keyword}
	ed := filter.NewState().Edit()
	ed.AddField(def)
	for slot, doc := range []string{`{"tag":"red"}`, `{"tag":["blue","red"]}`, `{}`} {
		ed.Add(uint32(slot))
		ed.Put("tag", uint32(slot), filter.Extract(def, []byte(doc)))
	}
	st := ed.Commit()

	red := filter.Match{Field: "tag", Value: filter.StringValue("red")}
	res, _ := st.Resolve(filter.Not{Expr: red}, nil)
	fmt.Println(res.Set, res.Residual)

	res, _ = st.Resolve(filter.And{Exprs: []filter.Expr{red, filter.IsEmpty{Field: "size"}}}, nil)
	fmt.Println(res.Set, res.Residual)

	disk, n := vfs.NewMem(), 0
	save := st.BeginSave()
	saved, err := save.Run(disk, "filter", func() string { n++; return fmt.Sprint(n) })
	st = st.FinishSave(save)
	loaded, _ := filter.Load(disk, "filter", saved)
	fmt.Println(loaded.Len(), saved.Files, err, st.Memory())
	// Output:
	// {2} <nil>
	// {0,1} {size}
	// 3 [1 2] <nil> 0
}

package mmapvec_test

import (
	"fmt"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec"
)

func Example() {
	disk := vfs.NewMem()
	s, err := mmapvec.Open(mmapvec.Options{FS: disk, Dir: "rows", Dim: 2})
	if err != nil {
		panic(err)
	}
	if err := s.Write([]uint32{0, 1}, [][]float32{{1, 2}, {3, 4}}); err != nil {
		panic(err)
	}
	if err := s.Sync(); err != nil {
		panic(err)
	}
	v := s.View()
	_, _ = v.Fetch([]uint32{1, 0}, func(i int, row []float32) error {
		fmt.Println(i, row)
		return nil
	})
	v.Release()
	if err := s.Close(); err != nil {
		panic(err)
	}
	fmt.Println(mmapvec.Check(disk, "rows", func(slot uint32) bool { return slot < 2 }))
	// Output:
	// 0 [3 4]
	// 1 [1 2]
	// <nil>
}

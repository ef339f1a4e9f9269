package payload_test

import (
	"fmt"
	"os"

	"github.com/isobath/isobath/payload"
)

func Example() {
	dir, err := os.MkdirTemp("", "payload")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := payload.Open(payload.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	key := payload.NumID(42).AppendKey([]byte("points/"))
	err = s.Apply([]payload.Op{
		{Key: key, Value: []byte(`{"city":"Oslo","size":1.0}`), Seq: 1},
		{Key: key, Value: []byte(`{"city":"Bergen","size":1.0}`), Seq: 2},
	})
	if err != nil {
		panic(err)
	}
	city, _ := payload.ParsePath("city")
	for seq := uint64(1); seq <= 2; seq++ {
		doc, _ := s.Get(seq, key, nil)
		city.Each(doc, func(v payload.Value) bool {
			fmt.Println(v.Str())
			return true
		})
	}
	if err := s.Close(); err != nil {
		panic(err)
	}
	fmt.Println(payload.Check(dir))
	// Output:
	// Oslo
	// Bergen
	// <nil>
}

func ExampleMergeAt() {
	at, _ := payload.ParsePath("a[].b")
	doc, _ := payload.MergeAt([]byte(`{"a":[{"b":{"x":1.0}},{}]}`), at, []byte(`{"y":2}`))
	fmt.Println(string(doc))
	// Output: {"a":[{"b":{"x":1.0,"y":2}},{"b":{"y":2}}]}
}

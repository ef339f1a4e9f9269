package engine

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldenOps holds one operation of every kind, with every branch of its body.
func goldenOps() []op {
	vector := namedVector{"", []float32{1, -2.5, 0, 4}}
	return []op{
		opCollectionCreate{7, "c", goldenSchema()},
		opCollectionDrop{7},
		opCollectionUpdate{7, goldenSchema()},
		opAliases{map[string]string{"x": "c", "y": "c"}},
		&opPoints{7, 3, []pointChange{
			{kind: changePut, id: NumID(1), vectors: []namedVector{vector}, hasPayload: true, payload: []byte(`{}`)},
			{kind: changePut, id: NumID(2)},
			{kind: changeVectors, id: NumID(1), vectors: []namedVector{vector}},
			{kind: changePayload, id: NumID(1)},
			{kind: changeUnset, id: NumID(1), names: []string{""}},
			{kind: changeDelete, id: NumID(2)},
		}},
		opFieldCreate{7, 4, fieldDef{def: filter.FieldDef{Name: "a.b", Kind: filter.Keyword, FoldCase: true}, params: []byte("p")}},
		opFieldDrop{7, 5, "a.b"},
		opFieldStep{7, "a.b", []byte{1}, []byte{2}},
		&opKeys{[]keyChange{
			{kind: keyPut, database: 1, generation: 9, existed: true, key: []byte("k"), doc: Document{KindHash, 5, 1000, []byte("b")}},
			{kind: keyDelete, database: 1, generation: 9, existed: true, hadExpire: true, key: []byte("k"), doc: Document{Number: 5}},
			{kind: keyFlush, database: 1, generation: 10},
		}},
		opIndexCreate{8, 9, goldenIndexDef()},
		opIndexStep{8, []byte("a"), nil, 0.5},
		opFreeSlots{7, []byte{1, 2, 3}},
	}
}

// goldenSchema sets every parameter of a vector.
func goldenSchema() Schema {
	return Schema{
		Vectors: map[string]VectorParams{
			"": {Size: testDim, Distance: Euclid, M: 4, EfConstruct: 16, OnDisk: true, Codes: CodeConfig{Kind: CodesTurbo, Bits: 2},
				CodesPlacement: PlaceMemory, LinksPlacement: PlaceMapped},
			"flat":   {Size: 2, Distance: Cosine, Flat: true, FullScanBytes: 1 << 20},
			"scalar": {Size: 3, Distance: Manhattan, NoGraph: true, Codes: CodeConfig{Kind: CodesScalar, Quantile: 0.99}},
		},
		IndexFromBytes: -1, NoBackground: true, Config: []byte(`{"a":1}`),
	}
}

func goldenIndexDef() IndexDef {
	def := testIndexDef()
	def.Created = time.UnixMilli(1700000000000)
	def.Fields[1].CaseSensitive, def.Fields[1].Separator = true, ';'
	return def
}

func goldenManifest() *manifest {
	m := newManifest()
	m.seq, m.nums, m.keyNum, m.nextFile = 42, 9, 5, 3
	m.databases[1] = database{9, 2, 1}
	m.aliases["x"] = "c"
	feed := newFeedState(goldenIndexDef(), 9)
	feed.fail(2, []byte("k"), "bad")
	m.collections[7] = collectionEntry{num: 7, name: "c", schema: testSchema(), operation: 3,
		fields: map[string]fieldDef{"a": {def: filter.FieldDef{Name: "a", Kind: filter.Integer, Building: true}, cursor: []byte{1}}},
		filter: filter.Saved{Files: []string{"filter-1"}, Meta: []byte{1}}, slots: slots.Saved{Files: []string{"slots-1"}, Meta: []byte{2}}}
	m.collections[8] = collectionEntry{num: 8, name: "ft", schema: goldenIndexDef().schema(), fields: map[string]fieldDef{}, feed: feed}
	m.segments[7] = map[string]vectorindex.Saved{"": {NextFile: 2, Segments: []vectorindex.SegmentRef{{File: "s", ID: 1, Rows: 10, Bytes: 100}}}}
	m.garbage = []garbagePrefix{{prefixSlot, 3}}
	return m
}

// TestGoldenFormats opens what version 1 wrote and wants the same bytes back.
func TestGoldenFormats(t *testing.T) {
	name := filepath.Join("testdata", "manifest.v1")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(name, goldenManifest().encode(), 0o644))
	}
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	m, err := decodeManifest(data)
	require.NoError(t, err)
	require.Equal(t, hex.Dump(data), hex.Dump(m.encode()))

	name = filepath.Join("testdata", "records.v1")
	if *update {
		var w binfmt.Writer
		for _, o := range goldenOps() {
			w.U8(o.kind())
			w.LenBytes(encodeOp(o))
		}
		require.NoError(t, os.WriteFile(name, w.Buf, 0o644))
	}
	data, err = os.ReadFile(name)
	require.NoError(t, err)
	kinds := map[uint8]bool{}
	for r := binfmt.NewReader(data); r.Remaining() > 0; {
		kind, body := r.U8(), r.LenBytes()
		require.NoError(t, r.Err())
		o, err := decodeOp(kind, body)
		require.NoError(t, err)
		require.Equal(t, hex.Dump(body), hex.Dump(encodeOp(o)), "kind %d", kind)
		kinds[kind] = true
	}
	require.Len(t, kinds, int(recFreeSlots), "every kind of record has a golden body")
}

func encodeOp(o op) []byte {
	var w binfmt.Writer
	o.encode(&w)
	return w.Buf
}

// FuzzDecodeOp feeds arbitrary bodies: no panic, and what is accepted is stable when written
// again.
func FuzzDecodeOp(f *testing.F) {
	for _, o := range goldenOps() {
		f.Add(o.kind(), encodeOp(o))
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		o, err := decodeOp(kind, body)
		if err != nil {
			require.Nil(t, o)
			return
		}
		again, err := decodeOp(kind, encodeOp(o))
		require.NoError(t, err)
		require.Equal(t, encodeOp(o), encodeOp(again))
	})
}

// FuzzDecodeManifest feeds arbitrary bodies under a right checksum.
func FuzzDecodeManifest(f *testing.F) {
	f.Add(goldenManifest().encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < binfmt.HeaderSize+4 {
			return
		}
		data = append(binfmt.EncodeHeader(binfmt.Header{Magic: manifestMagic, Version: manifestVersion}), data[binfmt.HeaderSize:len(data)-4]...)
		w := binfmt.Writer{Buf: data}
		w.U32(binfmt.Checksum(data))
		m, err := decodeManifest(w.Buf)
		if err != nil {
			require.Nil(t, m)
			return
		}
		again, err := decodeManifest(m.encode())
		require.NoError(t, err)
		require.Equal(t, m.encode(), again.encode())
	})
}

package filter

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("%06d", n) }
}

// smallState has n points in two fields; its values say which point they belong to.
func smallState(s *State, from, n int) *State {
	e := s.Edit()
	e.AddField(FieldDef{Name: "k", Kind: Keyword})
	e.AddField(FieldDef{Name: "n", Kind: Integer, Options: []byte("opt")})
	for i := from; i < from+n; i++ {
		e.Add(uint32(i))
		e.SetVector("v", uint32(i), i%2 == 0)
		e.Put("k", uint32(i), Values{Keywords: []string{fmt.Sprint("key", i), "all"}})
		e.Put("n", uint32(i), Values{Ints: []int64{int64(i)}, Null: i%3 == 0})
	}
	return e.Commit()
}

// probes are expressions that together read every section of smallState.
func probes(n int) []Expr {
	es := []Expr{
		Match{"k", StringValue("all")}, HasVector{"v"}, IsNull{"n"}, IsEmpty{"k"}, Range{Field: "n", Gt: ptr(3.5)},
		Prefix{"k", "key1"}, MatchExcept{"k", []Value{StringValue("all")}},
		MatchExcept{"k", []Value{StringValue("all"), StringValue("key3")}},
	}
	for i := range n {
		es = append(es, Match{"n", IntValue(int64(i))})
	}
	return es
}

func answers(t require.TestingT, s *State, n int) [][]uint32 {
	var out [][]uint32
	for _, e := range probes(n) {
		res, err := s.Resolve(e, nil)
		require.NoError(t, err)
		require.Nil(t, res.Residual)
		out = append(out, res.Set.ToArray())
	}
	return out
}

func TestSavedImageIsTheStateAtBeginSave(t *testing.T) {
	fs, next := vfs.NewMem(), counter()
	s := smallState(NewState(), 0, 100)
	want := answers(t, s, 50)
	sv := s.BeginSave()
	s = smallState(s, 50, 100) // meanwhile
	e := s.Edit()
	e.Remove(3)
	s = e.Commit()
	after := answers(t, s, 50)
	saved, err := sv.Run(fs, "d", next)
	require.NoError(t, err)
	s = s.FinishSave(sv)
	require.IsType(t, &frozenTable{}, s.tables[0], "what was saved left the memory")
	require.Equal(t, after, answers(t, s, 50))
	loaded, err := Load(fs, "d", saved)
	require.NoError(t, err)
	require.Equal(t, want, answers(t, loaded, 50))
	require.Equal(t, 100, loaded.Len())
	def, ok := loaded.Field("n")
	require.True(t, ok)
	require.Equal(t, FieldDef{Name: "n", Kind: Integer, Options: []byte("opt")}, def)
	require.Equal(t, []FieldInfo{{Def: FieldDef{Name: "k", Kind: Keyword, Options: []byte{}}, Points: 100}}, func() []FieldInfo {
		fs := loaded.Fields()[:1]
		fs[0].Def.Options = []byte{}
		return fs
	}())

	again := s.BeginSave()
	second, err := again.Run(fs, "d", next)
	require.NoError(t, err)
	s = s.FinishSave(again)
	require.Zero(t, s.Memory())
	same := s.BeginSave()
	third, err := same.Run(fs, "d", func() string { require.Fail(t, "nothing is new"); return "" })
	require.NoError(t, err)
	require.Equal(t, second.Files, third.Files)
}

func TestFailedSaveLeavesStateAndFilesAlone(t *testing.T) {
	for nth := 1; nth < 40; nth++ {
		fs, next := vfs.NewMem(), counter()
		s := smallState(NewState(), 0, 40)
		sv := s.BeginSave()
		saved, err := sv.Run(fs, "d", next)
		require.NoError(t, err)
		s = s.FinishSave(sv)
		s = smallState(s, 20, 40)
		want := answers(t, s, 40)
		before := fs.Ops()
		fs.StopAt(before + nth)
		sv = s.BeginSave()
		_, err = sv.Run(fs, "d", next)
		if err == nil {
			return
		}
		fs.StopAt(0)
		require.Equal(t, want, answers(t, s.FinishSave(sv), 40), "an unfinished save changes nothing")
		old, err := Load(fs, "d", saved)
		require.NoError(t, err)
		require.Equal(t, 40, old.Len())
		sv = s.BeginSave()
		_, err = sv.Run(fs, "d", next)
		require.NoError(t, err)
		require.Equal(t, want, answers(t, s.FinishSave(sv), 40))
	}
	require.Fail(t, "no save came through")
}

func TestCrash(t *testing.T) {
	for nth := 1; nth < 60; nth++ {
		fs, next := vfs.NewMem(), counter()
		s, want := NewState(), [][]uint32(nil)
		var saved *Saved
		fs.StopAt(nth)
		for round := range 3 {
			s = smallState(s, round*20, 40)
			image := answers(t, s, 40)
			sv := s.BeginSave()
			out, err := sv.Run(fs, "d", next)
			if err != nil {
				break
			}
			s, want, saved = s.FinishSave(sv), image, &out
		}
		if saved == nil {
			continue
		}
		for _, percent := range []int{0, 50, 100} {
			disk := fs.Crash(int64(nth), percent)
			require.NoError(t, Verify(disk, "d", *saved))
			loaded, err := Load(disk, "d", *saved)
			require.NoError(t, err)
			require.Equal(t, want, answers(t, loaded, 40))
		}
	}
}

// TestDamageIsFound flips every byte of the files: the answer is an error or the right one.
func TestDamageIsFound(t *testing.T) {
	fs, next := vfs.NewMem(), counter()
	s := smallState(smallState(NewState(), 0, 150), 5000, 10)
	sv := s.BeginSave()
	saved, err := sv.Run(fs, "d", next)
	require.NoError(t, err)
	want := answers(t, s, 40)
	missed, found := 0, 0
	for _, name := range saved.Files {
		good, err := vfs.ReadFile(fs, "d/"+name)
		require.NoError(t, err)
		for at := 0; at < len(good); at += 1 + len(good)/1500 {
			f, err := fs.Open("d/" + name)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte{good[at] ^ 0x41}, int64(at))
			require.NoError(t, err)
			if Verify(fs, "d", saved) == nil {
				missed++ // padding
			}
			if loaded, err := Load(fs, "d", saved); err == nil {
				for i, e := range probes(40) {
					res, err := loaded.Resolve(e, nil)
					if err == nil {
						require.Equal(t, want[i], res.Set.ToArray(), "%s at %d: %#v", name, at, e)
						continue
					}
					found++
					var corrupt *binfmt.CorruptError
					require.ErrorAs(t, err, &corrupt)
				}
				loaded.Fields()
			}
			_, err = f.WriteAt(good[at:at+1], int64(at))
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
	}
	require.Positive(t, found)
	require.Less(t, missed, 60)
	bad := saved
	bad.Meta = append([]byte{}, saved.Meta...)
	bad.Meta[5] ^= 1
	_, err = Load(fs, "d", bad)
	require.ErrorIs(t, err, binfmt.ErrChecksum)
}

func TestTruncatedMappingIsAnError(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("faults are tried on linux only")
	}
	dir, next := t.TempDir(), counter()
	s := smallState(NewState(), 0, 3000)
	sv := s.BeginSave()
	saved, err := sv.Run(vfs.OS, dir, next)
	require.NoError(t, err)
	s = s.FinishSave(sv)
	require.NoError(t, os.Truncate(dir+"/"+saved.Files[1], 4096))
	_, err = s.Resolve(Match{"k", StringValue("key2999")}, nil)
	var fault *mmap.FaultError
	require.ErrorAs(t, err, &fault)
}

func TestGolden(t *testing.T) {
	const dir = "testdata/v1"
	if *update {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		sv := smallState(NewState(), 0, 100).BeginSave()
		saved, err := sv.Run(vfs.OS, dir, counter())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(dir+"/meta", saved.Meta, 0o644))
	}
	meta, err := os.ReadFile(dir + "/meta")
	require.NoError(t, err)
	s, err := Load(vfs.OS, dir, Saved{Meta: meta})
	require.NoError(t, err)
	require.NoError(t, Verify(vfs.OS, dir, Saved{Meta: meta}))
	require.Equal(t, answers(t, smallState(NewState(), 0, 100), 50), answers(t, s, 50))
}

func TestEmptyStateIsSmall(t *testing.T) {
	var before, after runtime.MemStats
	keep := make([]*State, 1000)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keep {
		e := NewState().Edit()
		e.AddField(FieldDef{Name: "k", Kind: Keyword})
		keep[i] = e.Commit()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, (int64(after.HeapAlloc)-int64(before.HeapAlloc))/1000, int64(4<<10))
	runtime.KeepAlive(keep)
}

// TestOpenDoesNotReadValues checks that opening costs no memory per value.
func TestOpenDoesNotReadValues(t *testing.T) {
	bigBlocks(t)
	dir := t.TempDir()
	sv := benchState(t, 50_000, 5000).BeginSave()
	saved, err := sv.Run(vfs.OS, dir, counter())
	require.NoError(t, err)
	require.Less(t, testing.AllocsPerRun(3, func() {
		_, err := Load(vfs.OS, dir, saved)
		require.NoError(t, err)
	}), 300.0)
}

func FuzzDecode(f *testing.F) {
	meta, err := os.ReadFile("testdata/v1/meta")
	require.NoError(f, err)
	f.Add(meta)
	for _, name := range []string{"000001", "000002"} {
		b, err := os.ReadFile("testdata/v1/" + name)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeMeta(b)
		if _, err := decodeMeta(sealed(b)); err == nil {
			t.Log("meta accepted")
		}
		_, _ = decodeSets(sealed(b))
		it := blockIter{t: &frozenTable{data: b}, rest: b}
		for it.next() {
			_, _ = it.posting()
		}
		fs := vfs.NewMem()
		require.NoError(t, fs.MkdirAll("d"))
		require.NoError(t, vfs.WriteFile(fs, "d/t", b))
		if table, err := openTable(fs, "d", "t"); err == nil {
			_ = table.verify()
			_, _ = table.get("\x00\x00\x00\x01\x01")
		}
	})
}

// sealed appends the right checksum.
func sealed(b []byte) []byte {
	w := binfmt.Writer{Buf: append([]byte{}, b...)}
	w.U32(binfmt.Checksum(b))
	return w.Buf
}

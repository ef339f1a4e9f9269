package payload

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

const (
	tableSuffix = ".sst"
	memSuffix   = ".mem" // log of a memtable: there is none after Close
)

// checkTables looks at the end of every table that badger's manifest names, where its index lies:
// badger ends the process when it meets a damaged one. Other tables were never finished. It reads
// tables of up to budget bytes as a whole, the youngest first: what ended the last run reached these.
func checkTables(o Options, budget int64) error {
	f, err := os.Open(filepath.Join(o.Dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new store
	}
	if err != nil {
		return fmt.Errorf("payload: open: %w", err)
	}
	defer f.Close()
	if err := checkFormat(f); err != nil {
		return fmt.Errorf("payload: open %s: %w", o.Dir, err)
	}
	manifest, _, err := badger.ReplayManifestFile(f, externalMagic, badgerOptions(o))
	if err != nil {
		return &binfmt.CorruptError{File: f.Name(), Err: err}
	}
	ids := slices.Sorted(maps.Keys(manifest.Tables))
	slices.Reverse(ids)
	sizes := make([]int64, len(ids))
	err = eachTable(o.Dir, ids, func(i int, name string) (err error) {
		if sizes[i], err = checkTable(name); errors.Is(err, fs.ErrNotExist) {
			return &binfmt.CorruptError{File: name, Err: err}
		}
		return err
	})
	if err != nil {
		return err
	}
	young := ids[:0]
	for i, id := range ids {
		if sizes[i] <= budget {
			budget -= sizes[i]
			young = append(young, id)
		}
	}
	return eachTable(o.Dir, young, func(i int, name string) error { return verifyBlocks(name, young[i]) })
}

// tablesAtOnce is how many tables are read together: one after the other they were what an opening from a cold disk waited for.
const tablesAtOnce = 4

// eachTable calls check for tables until one has an error, and returns that of the first in the list that has one.
func eachTable(dir string, ids []uint64, check func(i int, name string) error) error {
	errs := make([]error, len(ids))
	var failed atomic.Bool
	var group errgroup.Group
	group.SetLimit(tablesAtOnce)
	for i, id := range ids { // they begin in order
		if failed.Load() {
			break
		}
		group.Go(func() error {
			errs[i] = check(i, table.NewFilename(id, dir))
			if errs[i] != nil {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // they are in errs, in order
	return cmp.Or(errs...)
}

// checkFormat tells a store of another version from a damaged one, for which badger has one error: its manifest begins
// with four letters and our magic, big-endian. What is neither is left to badger.
func checkFormat(manifest io.ReaderAt) error {
	var head [6]byte
	if _, err := manifest.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	const version = externalMagic & 0xff
	if string(head[:5]) != "Bdgr\x15" || head[5] == version {
		return nil
	}
	if head[5] < version {
		return fmt.Errorf("format version %d is no longer read, this release has %d: load the data anew, or open it with the release that wrote it", head[5], version)
	}
	return &binfmt.VersionError{Version: uint32(head[5]), Known: version}
}

// verifiedAtOpen is how much of the tables is read at open, for some hundredths of a second: badger
// passes over keys in a damaged block without a word, or panics in a compaction.
const verifiedAtOpen = 64 << 20

// verifyBlocks verifies the checksum of every block of a table whose index is sound.
func verifyBlocks(name string, id uint64) (err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil { // lengths in a damaged block
			err = &binfmt.CorruptError{File: name, Err: panicError(v)}
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{Compression: options.None})
	if err == nil {
		err = t.VerifyChecksum()
	}
	if err != nil {
		return &binfmt.CorruptError{File: name, Err: err}
	}
	return nil
}

// checkTable verifies {index, u32 length, checksum message, u32 length} at the end of a table
// and returns its size.
func checkTable(name string) (size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := info.Size()
	var readErr error
	last := func(n int64) []byte {
		if readErr == nil && (n < 0 || n > end) {
			readErr = fmt.Errorf("payload: table of %d bytes, %d more expected", end, n)
		}
		if readErr != nil {
			return make([]byte, 4)
		}
		b := make([]byte, n)
		_, readErr = f.ReadAt(b, end-n)
		end -= n
		return b
	}
	sumBytes := last(int64(binary.BigEndian.Uint32(last(4))))
	index := last(int64(binary.BigEndian.Uint32(last(4))))
	if readErr != nil {
		return 0, &binfmt.CorruptError{File: name, Offset: end, Err: readErr}
	}
	sum := &pb.Checksum{}
	if err := proto.Unmarshal(sumBytes, sum); err != nil {
		return 0, &binfmt.CorruptError{File: name, Offset: end, Err: err}
	}
	if err := y.VerifyChecksum(index, sum); err != nil || len(index) == 0 {
		return 0, binfmt.Corrupt(name, end, "payload: checksum of the table's index does not match")
	}
	return info.Size(), nil
}

// Verify reads everything: the checksums of badger's blocks, then every value that lives at seq. It
// returns the first damage it meets. Reads and writes go on meanwhile.
func (s *Store) Verify(seq uint64) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	if err := s.soundBlocks(); err != nil {
		return err
	}
	return s.Scan(seq, ScanOptions{}, func([]byte, []byte) (bool, error) { return true, nil })
}

// soundBlocks verifies the checksums of the blocks of badger's tables.
func (s *Store) soundBlocks() error {
	return s.guard(func() error {
		if err := s.db.VerifyChecksum(); err != nil {
			return s.corrupt("table: %w", err)
		}
		return nil
	})
}

// Check verifies a store that is not open and changes nothing in it. One that was not closed is
// copied beside itself for the time of the check, since badger cannot look at it without
// recovering it. Values count as of the last Sync: what came later may be damaged and is replayed.
func Check(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("payload: check: %w", err)
	}
	o := Options{Dir: dir}.withDefaults()
	if err := checkTables(o, math.MaxInt64); err != nil {
		return err
	}
	empty, err := emptyLogs(dir)
	if err != nil {
		return fmt.Errorf("payload: check: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("payload: check: %w", err)
	}
	open := func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) == memSuffix }
	if len(empty) > 0 || slices.ContainsFunc(entries, open) {
		return checkCopy(dir)
	}
	s, err := openDB(o, badgerOptions(o).WithReadOnly(true))
	if err != nil {
		return fmt.Errorf("payload: check %s: %w", dir, err)
	}
	return errors.Join(s.damaged(), s.Verify(s.durable), s.db.Close(), s.blobs.close())
}

func checkCopy(dir string) (err error) {
	dir = filepath.Clean(dir)
	if err := roomForCopy(dir); err != nil {
		return fmt.Errorf("payload: check: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".check-*.tmp")
	if err != nil {
		return fmt.Errorf("payload: check: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := os.CopyFS(tmp, os.DirFS(dir)); err != nil {
		return fmt.Errorf("payload: check: %w", err)
	}
	s, err := Open(Options{Dir: tmp})
	if err != nil {
		return err
	}
	return errors.Join(s.damaged(), s.Verify(s.durable), s.Close())
}

// roomForCopy returns syscall.ENOSPC where a copy of the store has no room beside it.
func roomForCopy(dir string) error {
	need, err := Need(dir)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			need += info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	if free, _, err := vfs.Room(dir); err == nil && free < need {
		return fmt.Errorf("%d MiB free, %d MiB needed for a copy of %s: %w", free>>20, (need+1<<20-1)>>20, dir, syscall.ENOSPC)
	}
	return nil
}

// damaged is Damage as an error.
func (s *Store) damaged() error {
	if s.damage == nil {
		return nil
	}
	return s.damage
}

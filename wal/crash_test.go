package wal

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

// history is what a workload was told before the power went.
type history struct {
	acked    uint64 // every record up to here was acknowledged
	appended uint64 // no record behind this one was ever appended
	dropped  uint64 // a prefix truncation up to here began
	cut      uint64 // a suffix truncation to here is under way, if cutting
	cutting  bool
}

// workload appends, syncs, reopens and truncates until the file system stops.
func workload(fsys vfs.FS, h *history) error {
	const lastSeq = 70
	var l *Log
	var err error
	defer func() {
		if l != nil && err != nil {
			for _, f := range l.files {
				_ = f.close()
			}
		}
	}()
	if l, err = Open(Options{FS: fsys, Dir: testDir, FileBytes: 16 << 10, first: minFileSize}); err != nil {
		return err
	}
	for round := uint64(0); l.Last() < lastSeq; round++ {
		for range 1 + round%5 {
			seq := l.Last() + 1
			if err = l.Append(record(seq)); err != nil {
				return err
			}
			h.appended = max(h.appended, seq)
		}
		if h.acked, err = syncAck(l, h.acked); err != nil {
			return err
		}
		switch {
		case round%9 == 3:
			h.cut, h.cutting = l.Last()-2, true
			if err = l.TruncateSuffix(h.cut); err != nil {
				return err
			}
			h.acked, h.appended, h.cutting = h.cut, h.cut, false
		case round%9 == 6:
			h.dropped = l.Last() - 5
			if err = l.TruncatePrefix(h.dropped); err != nil {
				return err
			}
		case round%9 == 2 || round%9 == 7:
			h.dropped = l.Last()
			if err = l.TruncatePrefix(h.dropped); err != nil {
				return err
			}
		case round%9 == 8:
			if err = l.Close(); err != nil {
				return err
			}
			if l, err = Open(Options{FS: fsys, Dir: testDir, FileBytes: 16 << 10, first: minFileSize}); err != nil {
				return err
			}
		}
	}
	return l.Close()
}

func syncAck(l *Log, acked uint64) (uint64, error) {
	durable, err := l.Sync()
	if err != nil {
		return acked, err
	}
	return durable, nil
}

// requireHistory opens what a power cut left and wants every acknowledged record, no holes, and
// nothing that was never appended. It then goes on and crashes once more.
func requireHistory(t *testing.T, m *vfs.Mem, h history, msg string) {
	t.Helper()
	check := func(m *vfs.Mem) *Log {
		if _, err := m.Stat(testDir); err == nil {
			rep, err := Check(m, testDir)
			require.NoError(t, err, msg)
			require.Empty(t, rep.Problems, msg)
		}
		l, err := Open(Options{FS: m, Dir: testDir, FileBytes: 16 << 10})
		require.NoError(t, err, msg)
		require.Nil(t, l.Damage(), msg)
		floor := h.acked
		if h.cutting {
			floor = h.cut
			require.Contains(t, []uint64{h.cut, h.acked}, l.Last(), msg)
		}
		require.GreaterOrEqual(t, l.Last(), floor, msg)
		require.LessOrEqual(t, l.Last(), h.appended, msg)
		require.LessOrEqual(t, l.First(), h.dropped+1, msg)
		if l.Last() > 0 {
			requireRecords(t, l, l.First(), l.Last())
		}
		return l
	}
	l := check(m)
	// The records found are now promised: a second power cut must not take them.
	h.acked, h.cutting = l.Last(), false
	h.appended = l.Last() + 3
	appendTo(t, l, l.Last()+3)
	check(m.Crash(5, 40))
	_, err := l.Sync()
	require.NoError(t, err, msg)
	h.acked = h.appended
	check(m.Crash(6, 40))
	require.NoError(t, l.Close())
}

func TestCrashAtEveryOperation(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 5
	}
	for stop := 1; ; stop += step {
		m := vfs.NewMem()
		m.StopAt(stop)
		var h history
		err := workload(m, &h)
		if err == nil {
			require.Greater(t, stop, 100)
			return
		}
		require.ErrorIs(t, err, vfs.ErrStopped)
		for seed := range int64(4) {
			percent := []int{0, 30, 50, 70, 90, 100}[(stop+int(seed))%6]
			requireHistory(t, m.Crash(seed+int64(stop), percent), h,
				"stop "+strconv.Itoa(stop)+" seed "+strconv.Itoa(int(seed)+stop)+" percent "+strconv.Itoa(percent))
		}
	}
}

// TestCrashDuringRecovery stops the recovery itself at each of its operations.
func TestCrashDuringRecovery(t *testing.T) {
	for stop := 20; stop < 200; stop += 7 {
		m := vfs.NewMem()
		m.StopAt(stop)
		var h history
		if workload(m, &h) == nil {
			return
		}
		m = m.Crash(int64(stop), 60)
		for second := 1; ; second++ {
			again := m.Crash(0, 100)
			again.StopAt(second)
			l, err := Open(Options{FS: again, Dir: testDir, FileBytes: 16 << 10})
			if err == nil {
				require.Nil(t, l.Damage())
				break
			}
			for _, percent := range []int{0, 50, 100} {
				requireHistory(t, again.Crash(int64(second), percent), h, "stop "+strconv.Itoa(stop)+" then "+strconv.Itoa(second))
			}
		}
	}
}

// TestEachFaultOnce fails each call once: what was acknowledged is there after a restart, and a log
// that failed takes nothing more.
func TestEachFaultOnce(t *testing.T) {
	for nth := 1; ; nth++ {
		m := vfs.NewMem()
		fl := vfs.NewFailing(m, vfs.Fault{Op: vfs.OpAny, Nth: nth})
		var h history
		err := workload(fl, &h)
		if fl.Fired() == 0 {
			require.NoError(t, err)
			require.Greater(t, nth, 100)
			return
		}
		if err != nil {
			require.ErrorIs(t, err, vfs.ErrInjected, "call %d", nth)
		}
		requireHistory(t, m.Crash(int64(nth), 50), h, "power cut after failed call "+strconv.Itoa(nth))
		requireHistory(t, m.Crash(int64(nth), 100), h, "restart after failed call "+strconv.Itoa(nth))
	}
}

func TestFailedSyncKillsTheLog(t *testing.T) {
	m := vfs.NewMem()
	fl := vfs.NewFailing(m)
	l := open(t, fl)
	appendSynced(t, l, 5)
	appendTo(t, l, 8)
	fl.Inject(vfs.Fault{Op: vfs.OpSync, Nth: 1})
	durable, err := l.Sync()
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, vfs.ErrInjected)
	require.EqualValues(t, 5, durable)
	_, err = l.Sync()
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, l.Append(record(9)), ErrFailed)
	require.ErrorIs(t, l.TruncatePrefix(1), ErrFailed)
	require.ErrorIs(t, l.TruncateSuffix(1), ErrFailed)
	requireRecords(t, l, 1, 5)

	// The process restarts and reads what is still cached; a power cut later must not matter.
	l = open(t, fl)
	last := l.Last()
	requireRecords(t, l, 1, last)
	l = open(t, m.Crash(1, 0))
	require.Equal(t, last, l.Last())
	requireRecords(t, l, 1, last)
}

// Without room for a small file the log goes on in the large one; one whose name may or may not be durable kills it.
func TestNoRoomForASmallFile(t *testing.T) {
	m := vfs.NewMem()
	fl := vfs.NewFailing(m)
	l, err := Open(Options{FS: fl, Dir: testDir, FileBytes: 64 << 10, first: minFileSize})
	require.NoError(t, err)
	appendSynced(t, l, 300)
	for _, op := range []vfs.Op{vfs.OpAllocate, vfs.OpCreate, vfs.OpSync, vfs.OpRename} {
		fl.Inject(vfs.Fault{Op: op, Nth: 1})
		require.NoError(t, l.TruncatePrefix(l.Last()))
		require.True(t, l.Shrinks())
		appendSynced(t, l, l.Last()+1)
	}
	first := l.First()
	require.Greater(t, first, uint64(1), "what was full is dropped all the same")
	requireRecords(t, l, first, 304)
	fl.Inject(vfs.Fault{Op: vfs.OpSyncDir, Nth: 1})
	require.ErrorIs(t, l.TruncatePrefix(1000), ErrFailed)
	require.ErrorIs(t, l.Append(record(305)), ErrFailed)
	l = open(t, m.Crash(1, 100))
	require.EqualValues(t, 304, l.Last())
	require.NoError(t, l.TruncatePrefix(304))
	require.EqualValues(t, 305, l.First())
}

func TestFullDiskAtRecovery(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	appendSynced(t, l, 8)
	fl := vfs.NewFailing(m.Crash(1, 0), vfs.Fault{Op: vfs.OpAllocate, Nth: 1, Err: errors.New("disk full")})
	l = open(t, fl)
	requireRecords(t, l, 1, 8)
}

package keyspace

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/isobath/isobath/engine"
)

// Options of a Space; the zero value means the defaults.
type Options struct {
	Databases int          // logical databases, 1..256; 16
	Log       *slog.Logger // nil: nothing is logged
	Clock     func() time.Time
}

func (o Options) withDefaults() Options {
	o.Databases = cmp.Or(o.Databases, 16)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Space is the keys of all logical databases of one DB. It is safe for concurrent use.
type Space struct {
	db      *engine.DB
	opt     Options
	watches watchTable
	expiry  expiryQueue
	cursors cursorTable

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// New returns the Space of a DB and starts its sweeper. There is one Space a DB; the DB outlives it.
func New(db *engine.DB, o Options) *Space {
	s := &Space{db: db, opt: o.withDefaults()}
	s.watches.init()
	s.expiry.init()
	s.cursors.init()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.sweep(ctx) })
	return s
}

// Close stops the sweeper. It may be called twice; it does not close the DB.
func (s *Space) Close() {
	s.cancel()
	s.done.Wait()
}

// DB returns the database below.
func (s *Space) DB() *engine.DB { return s.db }

// Databases returns the number of logical databases.
func (s *Space) Databases() int { return s.opt.Databases }

// Update runs fn in the sequencer: alone, in log order, seeing everything written before. All it writes is one record. If fn
// returns an error nothing is written. The ticket is done when the writes, and all earlier ones, are durable and visible.
func (s *Space) Update(database int, fn func(tx *Tx) error) (*engine.Ticket, error) {
	if database < 0 || database >= s.opt.Databases {
		return nil, ErrDatabase
	}
	return s.db.Update(func(kt *engine.KeyTx) error {
		tx := newTx(s, kt, database)
		if err := fn(tx); err != nil {
			return err
		}
		s.watches.written(tx)
		s.expiry.written(tx.written)
		return nil
	})
}

// View pins the published state of one database. It must be closed.
func (s *Space) View(database int) *View {
	now := s.opt.Clock().UnixMilli()
	v := &View{KeyList: KeyList{space: s, keys: s.db.Keys(), database: database, moment: now}}
	v.reads = reads{src: v, now: now}
	return v
}

// keyName names a key of any database.
type keyName struct {
	database int
	key      string
}

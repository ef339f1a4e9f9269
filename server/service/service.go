package service

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/isobath/isobath/engine"
)

// Options configures New.
type Options struct {
	// APIKey and AltAPIKey give full access, ReadOnlyAPIKey gives reads. Without an API key the
	// Password is one, so that one secret protects both doors. None set: everything is open.
	APIKey, AltAPIKey, ReadOnlyAPIKey string
	// Password is RESP's requirepass; without it the keys above are RESP's passwords.
	Password string
	Log      *slog.Logger // nil: nothing is logged
}

// Service executes operations on a database. It is safe for concurrent use.
type Service struct {
	db        atomic.Pointer[engine.DB]
	keys      keyring // of HTTP
	passwords keyring // of RESP, when not the keys
	observe   *observer
	id        string
	peer      uint64
	log       *slog.Logger
}

// New returns a Service that answers ErrLoading until Attach.
func New(o Options) *Service {
	s := &Service{log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.keys.add(o.APIKey, RoleAll)
	s.keys.add(o.AltAPIKey, RoleAll)
	s.keys.add(o.ReadOnlyAPIKey, RoleRead)
	s.passwords.add(o.Password, RoleAll)
	if o.APIKey == "" && o.AltAPIKey == "" {
		s.keys.add(o.Password, RoleAll)
	}
	s.observe = newObserver(s)
	id := uuid.New()
	s.id, s.peer = id.String(), binary.BigEndian.Uint64(id[:8])>>12 // exact as a float64
	return s
}

// Attach gives the service its database.
func (s *Service) Attach(db *engine.DB) { s.db.Store(db) }

// Detach takes the database away again; operations answer ErrLoading.
func (s *Service) Detach() { s.db.Store(nil) }

// Ready says whether operations are served.
func (s *Service) Ready() bool { return s.db.Load() != nil }

func (s *Service) engine() (*engine.DB, error) {
	if db := s.db.Load(); db != nil {
		return db, nil
	}
	return nil, ErrLoading
}

// Collections returns the names of all collections, FT indexes of database 0 included.
func (s *Service) Collections() ([]string, error) {
	db, err := s.engine()
	if err != nil {
		return nil, err
	}
	return db.Collections(), nil
}

// Collection returns a collection by name or alias. It returns *engine.NotFoundError.
func (s *Service) Collection(name string) (*Collection, error) {
	db, err := s.engine()
	if err != nil {
		return nil, err
	}
	c, err := db.Collection(name)
	if err != nil {
		return nil, err
	}
	return &Collection{s: s, c: c}, nil
}

// CreateCollection creates a collection. It returns *engine.ExistsError when the name is taken
// by a collection, an alias or an FT index.
func (s *Service) CreateCollection(ctx context.Context, name string, schema engine.Schema) error {
	db, err := s.engine()
	if err != nil {
		return err
	}
	if s.isIndex(db, name) {
		return &engine.ExistsError{Kind: "collection", Name: name}
	}
	return db.CreateCollection(ctx, name, schema)
}

// UpdateCollection changes the schema of a collection; see engine.DB.UpdateCollection.
func (s *Service) UpdateCollection(ctx context.Context, name string, change func(engine.Schema) (engine.Schema, error)) error {
	db, err := s.engine()
	if err != nil {
		return err
	}
	if s.isIndex(db, name) {
		return engine.ErrFTRequest
	}
	return db.UpdateCollection(ctx, name, change)
}

// DropCollection removes a collection with its aliases and says whether it was there.
func (s *Service) DropCollection(ctx context.Context, name string) (existed bool, err error) {
	db, err := s.engine()
	if err != nil {
		return false, err
	}
	if s.isIndex(db, name) {
		return false, engine.ErrFTRequest
	}
	return db.DropCollection(ctx, name)
}

func (s *Service) isIndex(db *engine.DB, name string) bool {
	c, err := db.Collection(name)
	return err == nil && c.IsIndex()
}

// UpdateAliases does all actions in order, or none.
func (s *Service) UpdateAliases(ctx context.Context, actions []engine.AliasAction) error {
	db, err := s.engine()
	if err != nil {
		return err
	}
	return db.UpdateAliases(ctx, actions)
}

// Aliases returns all aliases by name, or with a collection's name or alias those of it.
func (s *Service) Aliases(collection string) ([]engine.Alias, error) {
	db, err := s.engine()
	if err != nil {
		return nil, err
	}
	all := db.Aliases()
	if collection == "" {
		return all, nil
	}
	c, err := db.Collection(collection)
	if err != nil {
		return nil, err
	}
	var own []engine.Alias
	for _, a := range all {
		if a.Collection == c.Name() {
			own = append(own, a)
		}
	}
	return own, nil
}

// ID names this server: a UUID that lasts as long as the process.
func (s *Service) ID() string { return s.id }

// PeerID is the number that a cluster would know this node by.
func (s *Service) PeerID() uint64 { return s.peer }

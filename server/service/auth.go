package service

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// Role is what a caller may do.
type Role uint8

// Roles.
const (
	RoleNone Role = iota
	RoleRead      // reads of every kind
	RoleAll
)

// Errors of Authorize.
var (
	ErrNoKey    = errors.New("service: a key is required")
	ErrWrongKey = errors.New("service: no such key")
)

type keyEntry struct {
	sum  [sha256.Size]byte
	role Role
}

// keyring holds the SHA-256 of every configured secret, never a secret itself.
type keyring []keyEntry

func (k *keyring) add(secret string, role Role) {
	if secret != "" {
		*k = append(*k, keyEntry{sha256.Sum256([]byte(secret)), role})
	}
}

// judge compares key with every secret, in constant time. Without secrets everything is open.
func (k keyring) judge(key string) Role {
	if len(k) == 0 {
		return RoleAll
	}
	sum := sha256.Sum256([]byte(key))
	role := RoleNone
	for i := range k {
		same := subtle.ConstantTimeCompare(sum[:], k[i].sum[:])
		role = max(role, Role(subtle.ConstantTimeSelect(same, int(k[i].role), int(RoleNone))))
	}
	return role
}

// AuthRequired says whether HTTP requests need a key.
func (s *Service) AuthRequired() bool { return len(s.keys) > 0 }

// Authorize returns the role that an HTTP key gives; the empty key stands for none. It returns
// ErrNoKey or ErrWrongKey with RoleNone.
func (s *Service) Authorize(key string) (Role, error) { return s.authorize(s.keys, key) }

// AuthorizePassword does the same for a RESP password. A configured password stands in for the
// HTTP keys; without one they are the passwords.
func (s *Service) AuthorizePassword(password string) (Role, error) {
	if len(s.passwords) > 0 {
		return s.authorize(s.passwords, password)
	}
	return s.authorize(s.keys, password)
}

func (s *Service) authorize(k keyring, key string) (Role, error) {
	role := k.judge(key)
	switch {
	case role != RoleNone:
		return role, nil
	case key == "":
		s.observe.authFailed("missing")
		return RoleNone, ErrNoKey
	}
	s.observe.authFailed("wrong")
	return RoleNone, ErrWrongKey
}

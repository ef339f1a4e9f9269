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

// keyring holds the SHA-256 of every configured secret, never a secret itself.
type keyring []struct {
	sum  [sha256.Size]byte
	role Role
}

func (k *keyring) add(secret string, role Role) {
	if secret == "" {
		return
	}
	*k = append(*k, struct {
		sum  [sha256.Size]byte
		role Role
	}{sha256.Sum256([]byte(secret)), role})
}

// AuthRequired says whether any secret is configured.
func (s *Service) AuthRequired() bool { return len(s.keys) > 0 }

// Authorize returns the role that a key gives; the empty key stands for none. Every configured
// key is compared, in constant time. It returns ErrNoKey or ErrWrongKey with RoleNone.
func (s *Service) Authorize(key string) (Role, error) {
	if !s.AuthRequired() {
		return RoleAll, nil
	}
	sum := sha256.Sum256([]byte(key))
	role := RoleNone
	for i := range s.keys {
		same := subtle.ConstantTimeCompare(sum[:], s.keys[i].sum[:])
		role = max(role, Role(subtle.ConstantTimeSelect(same, int(s.keys[i].role), int(RoleNone))))
	}
	switch {
	case key == "":
		s.observe.authFailed("missing")
		return RoleNone, ErrNoKey
	case role == RoleNone:
		s.observe.authFailed("wrong")
		return RoleNone, ErrWrongKey
	}
	return role, nil
}

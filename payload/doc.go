// Package payload keeps what a point carries beside its vectors.
package payload

//go:build !linux

package bench

// dropCache does nothing: only Linux lets a process drop cached pages.
func dropCache(string) error { return nil }

//go:build !linux && !purego

package kernels

// askTiles is for systems where we have not tried tiles.
func askTiles() bool { return false }

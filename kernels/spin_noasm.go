//go:build (!amd64 && !arm64) || purego

package kernels

// spinPause does nothing for a short while.
//
//go:noinline
func spinPause() {}

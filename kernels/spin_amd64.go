//go:build !purego

package kernels

// spinPause executes 8 PAUSE instructions.
//
//go:noescape
func spinPause()

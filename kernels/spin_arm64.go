//go:build !purego

package kernels

// spinPause executes 4 ISB instructions: YIELD does nothing on most CPUs, ISB waits for what is under way.
//
//go:noescape
func spinPause()

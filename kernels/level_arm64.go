//go:build !purego

package kernels

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// levels asks for vectors, which every ARMv8 of a general system has, and for dot products of bytes: all CPUs of Apple
// that run Go have them, whether the system says so or is too old to.
func levels() []level {
	have := []level{levelGeneric()}
	if !cpu.ARM64.HasASIMD {
		return have
	}
	have = append(have, levelNEON())
	if cpu.ARM64.HasASIMDDP || runtime.GOOS == "darwin" {
		have = append(have, levelNEONDot())
	}
	return have
}

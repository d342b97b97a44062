//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// levels asks for every bit that a level needs: GODEBUG and hypervisors may switch off any one of them.
func levels() []level {
	have := []level{levelGeneric()}
	x := &cpu.X86
	if !(x.HasAVX && x.HasAVX2 && x.HasFMA && hasF16C()) {
		return have
	}
	have = append(have, levelAVX2())
	if x.HasAVXVNNI {
		have = append(have, levelAVXVNNI())
	}
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI {
		have = append(have, levelAVX512VNNI())
		if hasTiles() {
			have = append(have, levelAMX())
		}
	}
	return have
}

// hasF16C asks CPUID, as x/sys/cpu does not know the half-precision conversions (leaf 1, bit 29 of ECX).
func hasF16C() bool {
	_, c, _ := cpuid(1)
	return c>>29&1 == 1
}

// cpuid is EBX, ECX and EDX of a leaf of CPUID, subleaf 0.
func cpuid(leaf uint32) (b, c, d uint32)

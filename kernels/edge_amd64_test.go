//go:build !purego

package kernels

// underTCG says whether qemu's translator plays the CPU. Its VMASKMOVPS touches all lanes, which the manuals forbid.
func underTCG() bool {
	b, c, d := cpuid(0x40000000)
	const tcgt = 'T' | 'C'<<8 | 'G'<<16 | 'T'<<24
	return b == tcgt && c == 'C'|'G'<<8|'T'<<16|'C'<<24 && d == 'G'|'T'<<8|'C'<<16|'G'<<24
}

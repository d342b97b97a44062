//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// levelAMX is avx512vnni with tiles. The CPU's bits do not suffice: the system saves tiles only of those who ask.
func levelAMX() level {
	l := levelAVX512VNNI()
	l.name, l.packed, l.allowed = "amx", packedAMX(), askTiles
	l.peak.tilesI8 = peakTilesI8AMX
	l.mat.parts, l.peak.tilesBF16 = partsAMX(), peakTilesBF16AMX
	return l
}

// hasTiles says whether CPU and system have tiles, with dot products of bytes and of bfloat16.
func hasTiles() bool {
	x := &cpu.X86
	if !(x.HasAMXTile && x.HasAMXInt8 && x.HasAMXBF16) {
		return false
	}
	_, c, _ := cpuid(1)
	const state = 3 << 17 // of tiles, in XCR0
	return c>>27&1 == 1 && xgetbv()&state == state
}

// xgetbv is the low half of XCR0: the registers that the system saves. The CPU must have OSXSAVE.
func xgetbv() uint32

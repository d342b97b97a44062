package kernels

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 2)
		peak, dot, read := PeakF32(e), PeakI8(e), ReadBandwidth(e, 8<<20)
		t.Logf("%.1f GFLOP/s, %.1f int8 GOP/s, %.1f GB/s", peak, dot, read)
		require.Greater(t, peak, 0.0)
		require.Greater(t, dot, 0.0)
		tiles := PeakTilesI8(e)
		t.Logf("%.1f int8 GOP/s of tiles", tiles)
		require.Equal(t, level == "amx", tiles > 0)
		require.Greater(t, read, 0.0)
	})
}

// The dot product of bfloat16 has a limit where it has a kernel, and pays only there and only where that limit is the
// higher one; a margin of a quarter on either side is left to the noise of short measurements.
func TestLimitBF16(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 1)
		if level == "amx" {
			tiles, peak := PeakTilesBF16(e), PeakF32(e)
			t.Logf("%.1f GFLOP/s of bf16 tiles, %.1f of f32", tiles, peak)
			require.Greater(t, tiles, peak)
			require.True(t, BF16Pays(e))
			return
		}
		require.Zero(t, PeakTilesBF16(e))
		peak := PeakBF16(e)
		if e.level.mat.dot[1] == nil {
			require.Zero(t, peak)
			require.False(t, BF16Pays(e))
			return
		}
		require.Greater(t, peak, 0.0)
		ratio := peak / PeakF32(e)
		t.Logf("%.1f GFLOP/s of bf16, %.2f of f32", peak, ratio)
		if ratio > 1.25 {
			require.Eventually(t, func() bool { return BF16Pays(e) }, time.Second, time.Millisecond)
		}
		if ratio < 0.8 {
			require.Eventually(t, func() bool { return !BF16Pays(e) }, time.Second, time.Millisecond)
		}
	})
}

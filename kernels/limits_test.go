package kernels

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 2)
		peak, dot, read := PeakF32(e), PeakI8(e), ReadBandwidth(e, 8<<20)
		t.Logf("%.1f GFLOP/s, %.1f int8 GOP/s, %.1f GB/s", peak, dot, read)
		require.Greater(t, peak, 0.0)
		require.Greater(t, dot, 0.0)
		require.Greater(t, read, 0.0)
	})
}

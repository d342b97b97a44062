package moe

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// expBelow is as good as math.Exp, over everything that a softmax asks for.
func TestExpBelow(t *testing.T) {
	for x := 0.0; x > -760; x -= 0.0137 {
		want := math.Exp(x)
		require.InDelta(t, want, expBelow(x), 4e-16*want, "x %v", x)
	}
	require.Equal(t, 1.0, expBelow(0))
	require.Zero(t, expBelow(math.Inf(-1)))
	require.Equal(t, math.Exp(-700.5), expBelow(-700.5))
	require.True(t, math.IsNaN(expBelow(math.NaN())))
}

package guard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A guard that breaks lets nothing go.
func TestPanicStays(t *testing.T) {
	broken := &Guard{max: 100, words: []word{{}}}
	for _, mode := range []Mode{ModeLocalOnly, ModeRedact} {
		p := &Policy{broken, mode, time.Minute}
		require.Equal(t, stays(ReasonFailed), p.Screen(t.Context(), []byte(`{"messages":[]}`)))
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "４１": "41", "٤١۴१": "4141", "a\u200bb\u00adc": "abc", "x\u2011y\u2014z": "x-y-z", "a\u00a0b\u3000c": "a b c", "𝟜𝟙": "41", "Müller": "Müller", "é😀": "é😀",
	} {
		require.Equal(t, want, fold(in))
	}
}

func TestOneCase(t *testing.T) {
	require.Equal(t, oneCase("Müller Kiſs"), oneCase("mÜLLER \u212aISS"))
}

package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

const numpyTrace = "../../testdata/trace/example.safetensors"

// What a few lines of numpy make of a trace that was written here is what the report says of it.
func TestMetricsAreNumpys(t *testing.T) {
	data, err := os.ReadFile("../../testdata/trace/numpy.json")
	require.NoError(t, err)
	compareNumpy(t, data)
}

// The script itself, where Python has what it needs.
func TestNumpyScript(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy, safetensors").Run() != nil {
		t.Skip("python3 has no numpy and safetensors here")
	}
	out, err := exec.Command("python3", "../../testdata/gen/trace_metrics.py", numpyTrace).Output()
	require.NoError(t, err)
	compareNumpy(t, out)
}

func compareNumpy(t *testing.T, numpy []byte) {
	var want, got any
	require.NoError(t, json.Unmarshal(numpy, &want))
	var b bytes.Buffer
	require.NoError(t, made(t, nil, numpyTrace).WriteJSON(&b))
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	n := 0
	covers(t, "metrics", want, got, &n)
	require.Greater(t, n, 6*(16*16+16+8), "layers, experts, pairs")
}

// covers holds got to everything that want has.
func covers(t *testing.T, at string, want, got any, n *int) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		require.True(t, ok, at)
		for k := range w {
			covers(t, at+"."+k, w[k], g[k], n)
		}
	case []any:
		g, ok := got.([]any)
		require.True(t, ok && len(g) == len(w), at)
		for i := range w {
			covers(t, fmt.Sprintf("%s[%d]", at, i), w[i], g[i], n)
		}
	default:
		*n++
		require.InDelta(t, want, got, 1e-9, at)
	}
}

func TestSummary(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, made(t, nil, example().file(t, "t")).Summary(&b))
	require.Equal(t, `layer  a                b                even
3      expert 0 50.0 %  expert 1 66.7 %  25.0 %
5      expert 2 33.3 %  expert 2 66.7 %  25.0 %
`, b.String())
}

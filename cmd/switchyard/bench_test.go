package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rows are every combination, in order, with the keys that the contract names.
func TestBenchModel(t *testing.T) {
	o := sw("", "bench", "model", "-m", golden, "-p", "4,8", "-n", "3", "-t", "1", "-r", "2", "-o", "json", "--level", "generic", "--buffer", "4")
	require.Equal(t, 0, o.code, o.err)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.out), &rows))
	require.Len(t, rows, 3)
	for i, test := range []string{"pp4", "pp8", "tg3"} {
		assert.Equal(t, test, rows[i]["test"])
		assert.Equal(t, "mixtral", rows[i]["shape"])
		assert.Equal(t, "generic", rows[i]["level"])
		assert.EqualValues(t, 1, rows[i]["threads"])
		assert.Positive(t, rows[i]["read_gb_s"])
		assert.Positive(t, rows[i]["fraction"])
	}
	assert.EqualValues(t, 0, rows[2]["allocs_per_token"])
}

func TestBenchModelDefaults(t *testing.T) {
	o := sw("", "bench", "model", "-p", "2", "-n", "0", "-r", "1", "--buffer", "4")
	require.Equal(t, 0, o.code, o.err)
	assert.Len(t, strings.Split(strings.TrimSpace(o.out), "\n"), 3, "header, rule, one row of the built-in model")
}

func TestBenchUsage(t *testing.T) {
	for _, args := range [][]string{
		{"bench"}, {"bench", "nothing"}, {"bench", "model", "--shape", "gpt-9"}, {"bench", "model", "-o", "xml"},
		{"bench", "model", "-p", "-1"}, {"bench", "model", "-t", "two"}, {"bench", "model", "-r", "0"}, {"bench", "model", "extra"},
		{"bench", "model", "--buffer", "0"}, {"bench", "model", "--plot", "x.gif"},
		{"bench", "kernels", "--op", "fft"}, {"bench", "kernels", "--time", "0"}, {"bench", "kernels", "-o", "xml"}, {"bench", "kernels", "x"},
	} {
		o := sw("", args...)
		assert.Equal(t, 2, o.code, "%q", args)
		assert.Equal(t, 2, strings.Count(o.err, "\n"), "%q: %s", args, o.err)
	}
	o := sw("", "bench", "model", "-h")
	assert.Equal(t, 0, o.code)
	assert.Contains(t, o.out, "qwen3-30b-a3b-8l")
	assert.Contains(t, o.out, "limit = 1 / max")
}

// A cancelled run leaves valid JSON.
func TestBenchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	code := dispatch(ctx, stdio{strings.NewReader(""), &out, &errs}, []string{"bench", "model", "-o", "json"})
	assert.Equal(t, exitInterrupted, code)
	assert.JSONEq(t, "[]", out.String())
}

func TestBenchKernels(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roofline.svg")
	o := sw("", "bench", "kernels", "--op", "rope", "--rows", "2", "--level", "generic", "-t", "1", "--time", "1ms", "--buffer", "4", "-o", "json", "--plot", file)
	require.Equal(t, 0, o.code, o.err)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.out), &rows))
	require.Len(t, rows, 1)
	assert.Equal(t, "rope", rows[0]["op"])
	assert.Positive(t, rows[0]["fraction"])
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(data), "<svg")
}

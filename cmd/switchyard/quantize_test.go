package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A packed folder answers as the source does when it is quantised while opening, with every command, and says what it is.
func TestQuantize(t *testing.T) {
	dir := t.TempDir()
	for _, scheme := range []string{"int8", "int4", "mixed"} {
		dst := filepath.Join(dir, scheme)
		o := sw("", "quantize", "../../model/builtin", dst, "--scheme", scheme)
		require.Equal(t, 0, o.code, o.err)
		assert.Empty(t, o.out+o.err)
		packed := sw("", "run", "-m", dst, "-n", "12", "And it came to pass")
		require.Equal(t, 0, packed.code, packed.err)
		loaded := sw("", "run", "--quant", scheme, "-n", "12", "And it came to pass")
		require.Equal(t, 0, loaded.code, loaded.err)
		assert.Equal(t, loaded.out, packed.out)
		same := sw("", "run", "-m", dst, "--quant", scheme, "-n", "12", "And it came to pass")
		assert.Equal(t, packed.out, same.out)

		o = sw("", "inspect", "-m", dst, "--json")
		require.Equal(t, 0, o.code, o.err)
		var in inspection
		require.NoError(t, json.Unmarshal([]byte(o.out), &in))
		assert.Equal(t, scheme, in.Quant)
		assert.Empty(t, in.Schemes)
		assert.Equal(t, in.Bytes, in.Mapped)
	}
	o := sw("", "logits", "-m", filepath.Join(dir, "int8"), "--quant", "int4", "--ids", "1", "-o", filepath.Join(dir, "o"))
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.err, "want int8, which the folder is packed as, found int4")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 3)
}

// What each scheme would make of the model is said before it is done, and comes true.
func TestInspectSchemes(t *testing.T) {
	var before, after inspection
	o := sw("", "inspect", "--json")
	require.NoError(t, json.Unmarshal([]byte(o.out), &before))
	assert.Equal(t, "none", before.Quant)
	require.Len(t, before.Schemes, 3)
	for _, s := range before.Schemes {
		o := sw("", "inspect", "--json", "--quant", s.Scheme)
		require.NoError(t, json.Unmarshal([]byte(o.out), &after))
		assert.Equal(t, s.Scheme, after.Quant)
		assert.Equal(t, s.Total, after.Bytes)
	}
	assert.Contains(t, sw("", "inspect").out, "as mixed")
	assert.Contains(t, sw("", "inspect", "--quant", "int4", "--tensors").out, "Q4P16")
}

func TestQuantizeUsage(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "--scheme is missing", []string{"a", "b"}},
		{2, "want int8, int4, mixed", []string{"a", "b", "--scheme", "int3"}},
		{2, "found 1 arguments", []string{"a", "--scheme", "int8"}},
		{2, "--threads", []string{"a", "b", "--scheme", "int8", "--threads", "-1"}},
		{1, "no such file", []string{filepath.Join(dir, "none"), filepath.Join(dir, "dst"), "--scheme", "int8"}},
		{1, "want a new or empty folder", []string{golden, golden, "--scheme", "int8"}},
	} {
		o := sw("", append([]string{"quantize"}, c.args...)...)
		assert.Equal(t, c.code, o.code, "%v: %s", c.args, o.err)
		assert.Contains(t, o.err, c.want, "%v", c.args)
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model/gatefit"
)

// Every clause of docs/gates.md works wherever a model is opened.
func TestGateLanguage(t *testing.T) {
	for _, gate := range []string{
		"topk=2", "score=sigmoid", "weight=softmax_selected", "norm=off", "scale=2.5", "select=topk", "bias=off", "groups=off", "softcap=30",
		"temp=0.7", "noise=0.3,7", "promote=1:3,4", "demote=1:3", "layers=0-3,5;promote=2", "bias=1:3:0.5", "layers=2;bias=3:-1", "drop=0:1,2",
		"topp=0.6,min=1,max=8", "threshold=0.1,min=1,max=8", "force=1:9", "skip=0.3", "random=7", "hash", "hash=7", "roundrobin",
		"relu;norm=off", "relu=0.5", "shared=off", "expertchoice", "expertchoice=2", "softmoe",
	} {
		n := "3"
		if gate == "softmoe" || gate[0] == 'e' {
			n = "1" // whole prompts only
		}
		o := sw("", "run", "-n", n, "--gate", gate, "And it came")
		assert.Equal(t, 0, o.code, "%s: %s", gate, o.err)
		o = sw("", "inspect", "--json", "--gate", gate)
		assert.Equal(t, 0, o.code, "%s: %s", gate, o.err)
	}
	for gate, want := range map[string]string{
		"force=1:2;drop=1:2": "one of force and drop", "hash;roundrobin": "want one gate", "drop=9:1": "layers: want mixtures",
		"nois=1": "or bias, demote", "topp=2": "P above 0 and at most 1", "file=/none": "no such file", "replay=/none": "no such file",
	} {
		o := sw("", "inspect", "--gate", gate)
		assert.Equal(t, 1, o.code, gate)
		assert.Contains(t, o.err, want)
	}
	o := sw("", "run", "-n", "3", "--gate", "expertchoice", "And it came")
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.err, "prefill only, no decoding")
}

// From a text to biases, to a router, to a checkpoint.
func TestGateFitAndMerge(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	o := sw("", "gate", "fit", "-f", "run.go", "--balance", "0.4", "--tokens", "800", "-o", at("bias"), "--json")
	require.Equal(t, 0, o.code, o.err)
	var b gatefit.Balanced
	require.NoError(t, json.Unmarshal([]byte(o.out), &b))
	assert.True(t, b.Reached)
	o = sw("", "gate", "fit", "-f", "run.go", "--target", "gate=file="+at("bias"), "--layers", "0-1", "--tokens", "1000", "--iterations", "15", "-o", at("router"), "--json")
	require.Equal(t, 0, o.code, o.err)
	var f []gatefit.Fitted
	require.NoError(t, json.Unmarshal([]byte(o.out), &f))
	require.Len(t, f, 2)
	assert.Greater(t, f[1].HeldOutAfter, f[1].HeldOutBefore)
	require.Equal(t, 0, sw("", "trace", "-f", "run.go", "--gate", "file="+at("bias"), "-o", at("t")).code)
	o = sw("", "gate", "fit", "-f", "run.go", "--target", "trace="+at("t"), "--layers", "0-1", "--tokens", "1000", "--iterations", "15", "-o", at("again"), "--json")
	require.Equal(t, 0, o.code, o.err)
	var again []gatefit.Fitted
	require.NoError(t, json.Unmarshal([]byte(o.out), &again))
	assert.Equal(t, f, again, "a trace of a gate is a target like the gate")
	require.Equal(t, 0, sw("", "gate", "merge", at("router"), "-o", at("merged")).code)
	merged := sw("", "run", "-m", at("merged"), "-n", "9", "func main() {")
	require.Equal(t, 0, merged.code, merged.err)
	assert.Equal(t, merged.out, sw("", "run", "--gate", "file="+at("router"), "-n", "9", "func main() {").out)
	assert.Contains(t, sw("", "gate", "fit", "-f", "run.go", "--target", "oracle", "--layers", "0", "--tokens", "400", "--iterations", "2", "-o", at("o")).out, "held-out before")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "want gate fit or gate merge", []string{"gate"}},
		{2, "want -f and -o", []string{"gate", "fit", "--balance", "0.1"}},
		{2, "want --balance or --target", []string{"gate", "fit", "-f", "run.go", "-o", at("x")}},
		{1, "want trace=FILE, gate=TEXT or oracle", []string{"gate", "fit", "-f", "run.go", "-o", at("x"), "--target", "magic"}},
		{1, "found none in the layers", []string{"gate", "fit", "-f", "run.go", "-o", at("x"), "--target", "oracle", "--layers", "7"}},
		{1, "want at most 0.0001 in every layer, the best of", []string{"gate", "fit", "-f", "run.go", "-o", at("x"), "--balance", "0.0001", "--tokens", "330"}},
		{2, "want one overlay, found 0", []string{"gate", "merge", "-o", at("y")}},
		{1, "want a folder that is not there yet", []string{"gate", "merge", at("router"), "-o", at("merged")}},
		{1, "has no place for choice biases", []string{"gate", "merge", at("bias"), "-o", at("y")}},
		{1, "no recorded text goes on so", []string{"gate", "fit", "-f", "gate.go", "-o", at("x"), "--target", "trace=" + at("t")}},
		{1, "layers.0.router.weight: want", []string{"gate", "merge", "-m", "../../testdata/goldens/qwen3-moe", at("router"), "-o", at("y")}},
	} {
		o := sw("", c.args...)
		assert.Equal(t, c.code, o.code, "%v: %s", c.args, o.err)
		assert.Contains(t, o.err, c.want)
	}
	_, err := os.Stat(at("y"))
	assert.ErrorIs(t, err, os.ErrNotExist, "nothing half written")
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route"
)

func TestRouteCommands(t *testing.T) {
	dir := t.TempDir()
	data, out := filepath.Join(dir, "data.jsonl"), filepath.Join(dir, "router")
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, `{"prompt":"%d + 1 =","weak":true,"strong":%v,"domain":"sums"}`+"\n", i, i%5 > 0)
		fmt.Fprintf(&b, `{"prompt":"Explain the treaty of %d and what historians dispute about it.","weak":%v,"strong":true}`+"\n", 1500+i, i%6 == 0)
	}
	require.NoError(t, os.WriteFile(data, []byte(b.String()), 0o644))
	o := sw("", "route", "train", data, "-o", out)
	require.Equal(t, 0, o.code, o.err)
	require.Contains(t, o.out, "APGR")
	o = sw("", "route", "eval", data, "-m", out, "--json", "--plot", filepath.Join(dir, "c.svg"))
	require.Equal(t, 0, o.code, o.err)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.out), &r))
	for _, key := range []string{"apgr", "cpt20", "cpt50", "cpt80", "aiq", "rows"} {
		require.IsType(t, 0.0, r[key], key)
	}
	require.EqualValues(t, 120, r["rows"])
	require.Len(t, r["baselines"], 3)
	require.FileExists(t, filepath.Join(dir, "c.svg"))
	o = sw("", "route", "explain", "-m", out, "--share", "0.5", "--json", "Explain", "the", "treaty", "of", "1700.")
	require.Equal(t, 0, o.code, o.err)
	var d route.Decision
	require.NoError(t, json.Unmarshal([]byte(o.out), &d))
	require.Equal(t, route.Strong, d.Model)
	require.Contains(t, sw("", "route", "explain", "-m", out, "--share", "0.5", "7 + 1 =").out, "weak (below_threshold)")
	require.Contains(t, sw("", "route", "calibrate", "-m", out, "--share", "0.3").out, "30.0 %")
	require.Contains(t, sw("", "route", "calibrate", "-m", out, "--json", data).out, `"rows":120`)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"route"}, 2, "explain, train, eval or calibrate"}, {[]string{"route", "train", data}, 2, "-o is missing"},
		{[]string{"route", "eval", data}, 2, "-m is missing"}, {[]string{"route", "eval", data, "-m", dir}, 1, "no such file"},
		{[]string{"route", "calibrate", "-m", out, "--share", "3"}, 2, "--share"}, {[]string{"route", "explain", "-m", out}, 2, "PROMPT"},
	} {
		o := sw("", c.args...)
		require.Equal(t, c.code, o.code, o.err)
		require.Contains(t, o.err, c.says)
	}
}

func TestRouteExplainOutOfTheBox(t *testing.T) {
	o := sw("", "route", "explain", "func main() {")
	require.Equal(t, 0, o.code, o.err)
	require.Contains(t, o.out, "code (experts_match)")
	require.Equal(t, 6, strings.Count(o.out, "\n  layer  "), "a row of bars for each layer")
	require.Contains(t, o.out, "of the layer's work here; usually")
	o = sw("", "route", "explain", "--json", "3", "*", "9", "=")
	require.Equal(t, 0, o.code, o.err)
	var d route.KindDecision
	require.NoError(t, json.Unmarshal([]byte(o.out), &d))
	require.Equal(t, "sums", d.Model)
	require.Greater(t, d.Confidence, d.Threshold)
	require.Len(t, d.Kinds, 9, "eight kinds, and other")
}

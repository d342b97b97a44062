package moe_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/moe"
)

// gates is a model of six layers whose first and fourth are dense.
func gates(g moe.GateSpec) []*moe.GateSpec {
	out := make([]*moe.GateSpec, 6)
	for i := range out {
		if i != 0 && i != 3 {
			c := g
			out[i] = &c
		}
	}
	return out
}

func override(t *testing.T, text string, list []*moe.GateSpec) error {
	o, err := moe.ParseOverride(text)
	require.NoError(t, err)
	return moe.ApplyOverrides(o, list)
}

func TestOverrideOrderAndLayers(t *testing.T) {
	g := gates(spec(8, 2, normed(0)))
	require.NoError(t, override(t, " topk=4 ; layers=1-2,5; topk=3;norm=off ;layers=2;score=sigmoid;;", g))
	require.Equal(t, spec(8, 3), *g[1])
	require.Equal(t, spec(8, 3, scored(moe.ScoreSigmoid)), *g[2])
	require.Equal(t, spec(8, 4, normed(0)), *g[4])
	require.Equal(t, spec(8, 3), *g[5])
	o, err := moe.ParseOverride("")
	require.NoError(t, err)
	require.Empty(t, o)
}

func TestOverrideKeys(t *testing.T) {
	full := spec(8, 2, scored(moe.ScoreSigmoid), biased, normed(1e-20), grouped(4, 2, moe.GroupTop2Sum, false))
	softmaxed := spec(8, 2, scored(moe.ScoreIdentity), from(moe.FromSoftmaxSelected))
	mixer := spec(8, 2, func(g *moe.GateSpec) { g.Select, g.Jitter = moe.SelectSparseMixer, 0.01 })
	for text, c := range map[string]struct{ from, to moe.GateSpec }{
		"bias=off":             {full, spec(8, 2, scored(moe.ScoreSigmoid), normed(1e-20), grouped(4, 2, moe.GroupTop2Sum, false))},
		"groups=off":           {full, spec(8, 2, scored(moe.ScoreSigmoid), biased, normed(1e-20))},
		"norm=on":              {full, full},
		"scale=2.5":            {spec(8, 2), spec(8, 2, scaled(2.5))},
		"sum_scale=-1":         {spec(8, 2), spec(8, 2, func(g *moe.GateSpec) { g.SumScale = -1 })},
		"softcap=30":           {spec(8, 2), spec(8, 2, func(g *moe.GateSpec) { g.Softcap = 30 })},
		"compute=bf16":         {spec(8, 2), spec(8, 2, func(g *moe.GateSpec) { g.Compute = moe.ComputeBF16 })},
		"compute=f32":          {spec(8, 2), spec(8, 2)},
		"weight=score":         {softmaxed, spec(8, 2, scored(moe.ScoreIdentity))},
		"score=sigmoid":        {softmaxed, spec(8, 2, scored(moe.ScoreSigmoid), normed(0))},
		"norm=off":             {softmaxed, spec(8, 2)}, // a softmax over the chosen is a normalised softmax
		"jitter=0.5":           {mixer, spec(8, 2, func(g *moe.GateSpec) { g.Select, g.Jitter = moe.SelectSparseMixer, 0.5 })},
		"select=topk;norm=on":  {mixer, spec(8, 2, normed(0), func(g *moe.GateSpec) { g.Jitter = 0.01 })},
		"select=sparsemixer":   {spec(8, 2), spec(8, 2, func(g *moe.GateSpec) { g.Select = moe.SelectSparseMixer })},
		"score=softmax;topk=8": {spec(8, 2), spec(8, 8)},
	} {
		g := gates(c.from)
		require.NoError(t, override(t, text, g), text)
		require.Equal(t, c.to, *g[5], text)
	}
}

// What cannot be read is refused with what is allowed and what was found.
func TestOverrideRefusesText(t *testing.T) {
	for text, want := range map[string]string{
		"topk":                          `want KEY=VALUE, found "topk"`,
		"tpok=4":                        `want a key of layers, bias, compute, groups, jitter, norm, scale, score, select, softcap, sum_scale, topk, weight, found "tpok"`,
		"topk=0":                        `topk: want a whole number from 1, found "0"`,
		"topk=2.5":                      `found "2.5"`,
		"score=tanh":                    `score: want softmax, sigmoid, sqrtsoftplus or identity, found "tanh"`,
		"norm=yes":                      `norm: want on or off, found "yes"`,
		"bias=on":                       `bias: want off, found "on"`,
		"groups=2":                      `groups: want off, found "2"`,
		"scale=NaN":                     `scale: want a number other than 0, found "NaN"`,
		"scale=0":                       `found "0"`,
		"scale=1e99":                    `found "1e99"`,
		"softcap=-1":                    `softcap: want 0 or more, found "-1"`,
		"select=table":                  `select: want topk or sparsemixer, found "table"`,
		"layers=a;topk=1":               `layers: want 3, 0-3 or 0-3,7, found "a"`,
		"layers=5-2;topk=1":             `found "5-2"`,
		"layers=-1;topk=1":              `found "-1"`,
		"layers=1,;topk=1":              `found "1,"`,
		"layers=1-99999999999999999999": `found "1-99999999999999999999"`,
	} {
		_, err := moe.ParseOverride(text)
		require.ErrorIs(t, err, moe.ErrGate, text)
		require.ErrorContains(t, err, want, text)
	}
}

// What means nothing for these gates is refused with layer, want and found.
func TestOverrideRefusesChange(t *testing.T) {
	mixer := spec(8, 2, func(g *moe.GateSpec) { g.Select = moe.SelectSparseMixer })
	table := spec(8, 2, func(g *moe.GateSpec) { g.Select = moe.SelectTable })
	for _, c := range []struct {
		text string
		from moe.GateSpec
		want string
	}{
		{"topk=9", spec(8, 2), "layer 1 after overrides: bad gate: topk: want 1 to 8, found 9"},
		{"layers=6;topk=1", spec(8, 2), "override topk: layers: want 0 to 5, found 6-6"},
		{"layers=3;topk=1", spec(8, 2), "want mixtures of experts, found 3-3, which are dense"},
		{"topk=5", spec(8, 2, grouped(4, 2, moe.GroupMax, false)), "at most the 4 experts of the kept groups, found 5"},
		{"score=sigmoid", mixer, "override score: layer 1: want select=topk before it, found sparsemixer"},
		{"weight=score", mixer, "want select=topk before it"},
		{"topk=3", mixer, "topk: want 1 or 2 with sparsemixer, found 3"},
		{"jitter=1", spec(8, 2), "want select=sparsemixer, found topk"},
		{"select=topk", table, "found a table"},
		{"select=sparsemixer", spec(8, 2, biased), "bias=off"},
		{"norm=off", spec(8, 2, scored(moe.ScoreSigmoid), func(g *moe.GateSpec) { g.Norm, g.SharedSlots = moe.NormShared, 1 }), "shared slots"},
	} {
		err := override(t, c.text, gates(c.from))
		require.ErrorIs(t, err, moe.ErrGate, c.text)
		require.ErrorContains(t, err, c.want, c.text)
	}
}

// Overrides are data: they can be made by hand, written and read.
func TestOverrideAsData(t *testing.T) {
	list := []moe.Override{{Layers: []moe.LayerRange{{From: 1, To: 2}}, Key: "topk", Value: "1"}}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	var back []moe.Override
	require.NoError(t, json.Unmarshal(text, &back))
	g := gates(spec(8, 2))
	require.NoError(t, moe.ApplyOverrides(back, g))
	require.Equal(t, []int{1, 1, 2}, []int{g[1].TopK, g[2].TopK, g[4].TopK})
	require.ErrorIs(t, moe.ApplyOverrides([]moe.Override{{Key: "topk"}}, g), moe.ErrGate)
	require.ErrorIs(t, moe.ApplyOverrides([]moe.Override{{Layers: []moe.LayerRange{{From: -1, To: 0}}, Key: "topk", Value: "1"}}, g), moe.ErrGate)
}

package model_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// smollm2 opens SmolLM2-135M-Instruct, a real model too large to commit; the environment says where it is.
func smollm2(t *testing.T, o model.Options) *model.Model {
	dir := os.Getenv("SWITCHYARD_SMOLLM2")
	if dir == "" {
		t.Skip("SWITCHYARD_SMOLLM2 names no folder with SmolLM2-135M-Instruct (testdata/README.md says how to get it)")
	}
	m, err := model.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// The reference's ids, top logits, mean log-probability and greedy text hold on a real model.
func TestSmolLM2(t *testing.T) {
	m := smollm2(t, model.Options{})
	data, err := os.ReadFile("../testdata/smollm2.json")
	require.NoError(t, err)
	var rows []struct {
		Text       string    `json:"text"`
		IDs        []int32   `json:"ids"`
		TopIDs     []int     `json:"last_top_ids"`
		TopLogits  []float64 `json:"last_top_logits"`
		LogProb    float64   `json:"mean_log_prob"`
		GreedyIDs  []int32   `json:"greedy_ids"`
		GreedyText string    `json:"greedy_text"`
	}
	require.NoError(t, json.Unmarshal(data, &rows))
	require.NotEmpty(t, rows)
	tok, err := m.Tokenizer()
	require.NoError(t, err)
	for _, r := range rows {
		enc, err := tok.Encode(r.Text, tokenizer.EncodeOptions{NoSpecial: true})
		require.NoError(t, err)
		require.Equal(t, r.IDs, enc.IDs)
		logits, err := m.Logits(context.Background(), r.IDs)
		require.NoError(t, err)
		last := logits.Row(len(r.IDs) - 1)
		for i, id := range r.TopIDs {
			require.InDelta(t, r.TopLogits[i], last[id], 1e-3)
		}
		require.InDelta(t, r.LogProb, meanLogProb(logits, r.IDs), 1e-4)
		ses := m.NewSession()
		var ids []int32
		text := ""
		o := model.GenerateOptions{MaxTokens: len(r.GreedyIDs), IgnoreEOS: true, Special: true}
		for tk, err := range ses.GenerateIDs(context.Background(), r.IDs, o) {
			require.NoError(t, err)
			text += tk.Text
			if tk.ID >= 0 {
				ids = append(ids, tk.ID)
			}
		}
		ses.Close()
		require.Equal(t, r.GreedyIDs, ids)
		require.Equal(t, r.GreedyText, text)
	}
}

// meanLogProb is the mean over positions of log softmax(logits[t])[ids[t+1]].
func meanLogProb(logits tensor.Mat, ids []int32) float64 {
	sum := 0.0
	for t := range len(ids) - 1 {
		row := logits.Row(t)
		top, z := math.Inf(-1), 0.0
		for _, l := range row {
			top = max(top, float64(l))
		}
		for _, l := range row {
			z += math.Exp(float64(l) - top)
		}
		sum += float64(row[ids[t+1]]) - top - math.Log(z)
	}
	return sum / float64(len(ids)-1)
}

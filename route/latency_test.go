package route_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/route"
)

// How long a decision takes with an encoder: SWITCHYARD_ENCODER=DIR go test -run DecisionTime -v ./route
func TestDecisionTime(t *testing.T) {
	dir := os.Getenv("SWITCHYARD_ENCODER")
	if dir == "" {
		t.Skip("SWITCHYARD_ENCODER names no encoder")
	}
	ctx := context.Background()
	e, err := model.OpenEncoder(dir, model.Options{Quant: "int8", Threads: 2})
	require.NoError(t, err)
	defer e.Close()
	by, err := route.NewExamples(ctx, e, []string{"weather", "refund"}, map[string][]string{
		"weather": {"will it rain tomorrow", "how hot is it going to be"}, "refund": {"I want my money back", "how do I return this item"},
	}, route.DefaultSimilarity)
	require.NoError(t, err)
	table := route.Table{Default: "a", Rows: []route.Row{{Name: "weather", If: route.LabelledAs{By: by, Is: []string{"weather"}}, To: "b"}}}
	text := strings.Repeat("will the sun shine on the hills ", 4) + "at noon" // 32 tokens with the two marks
	ids, err := e.EncodeText(text)
	require.NoError(t, err)
	var times []time.Duration
	for range 500 {
		begin := time.Now()
		require.NoError(t, table.Choose(ctx, &route.Prompt{Text: text}).Err)
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	t.Logf("%d tokens: p50 %v, p99 %v", len(ids), times[250], times[495])
}

// How long learned difficulty takes: SWITCHYARD_ROUTER=DIR, a folder of `route train -m ENCODER`, go test -run DifficultyTime -v ./route
func TestDifficultyTime(t *testing.T) {
	dir := os.Getenv("SWITCHYARD_ROUTER")
	if dir == "" {
		t.Skip("SWITCHYARD_ROUTER names no router")
	}
	e, err := model.OpenEncoder(filepath.Join(dir, route.EncoderDir), model.Options{Quant: "int8", Threads: 2})
	require.NoError(t, err)
	defer e.Close()
	d, err := route.Open(dir, route.Source{Encoder: e})
	require.NoError(t, err)
	for name, prompt := range map[string]string{
		"plain":        strings.Repeat("will the sun shine on the hills ", 4) + "at noon", // 32 tokens
		"with options": "Which city was the capital of France in the year 1900?\nA. Paris\nB. Lyon\nC. Nice\nD. Lille\nAnswer:",
	} {
		var times []time.Duration
		for range 500 {
			begin := time.Now()
			_, err := d.Estimate(context.Background(), []string{prompt})
			require.NoError(t, err)
			times = append(times, time.Since(begin))
		}
		slices.Sort(times)
		t.Logf("%s: p50 %v, p99 %v", name, times[250], times[495])
	}
}

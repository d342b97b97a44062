package route_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/route"
)

func engine(t *testing.T) *kernels.Engine {
	e, err := kernels.New(kernels.Options{})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

func outcome(weak, strong bool) route.Outcome {
	return route.Outcome{Prompt: "p", Weak: weak, Strong: strong}
}

// Four prompts, gains 1, 0, -1, 1: worked out by hand.
func TestMeasuresByHand(t *testing.T) {
	rows := []route.Outcome{outcome(false, true), outcome(true, true), outcome(true, false), outcome(false, true)}
	c := route.NewCurve([]float64{4, 3, 1, 2}, rows) // gains in the order of scores: 1, 0, 1, -1
	require.Equal(t, []float64{0.5, 0.75, 0.75, 1, 0.75}, c.Accuracy)
	// Area: (0.625 + 0.75 + 0.875 + 0.875)/4 = 0.78125; (0.78125 - 0.5)/0.25 = 1.125.
	require.InDelta(t, 1.125, c.APGR(), 1e-12)
	require.Equal(t, 0.25, c.CPT(0.5)) // 0.625 is reached at the first step
	require.Equal(t, 0.25, c.CPT(1))
	// Non-decreasing hull: (0, .5), (.25, .75), (.75, 1), (1, 1): 0.15625 + 0.4375 + 0.25.
	require.InDelta(t, 0.84375, c.AIQ(), 1e-12)
	r := route.Evaluate([]float64{4, 3, 1, 2}, rows)
	require.InDelta(t, 0.5, r.Baselines["random"], 1e-12)
	// Oracle: gains 1, 1, 0, -1: area (.625 + .875 + 1 + .875)/4 = 0.84375.
	require.InDelta(t, 1.375, r.Baselines["oracle"], 1e-12)
}

// sums are prompts of which the long ones want the strong model.
func sums(n int) []route.Outcome {
	var rows []route.Outcome
	for i := range n {
		hard := i%2 == 0
		p := fmt.Sprintf("%d + %d =", i, i%7)
		if hard {
			p = fmt.Sprintf("Prove that the field extension of degree %d over the rationals is normal, and name its group.", i)
		}
		rows = append(rows, route.Outcome{Prompt: p, Weak: !hard || i%10 == 0, Strong: hard || i%3 == 0})
	}
	return rows
}

func TestTrainSaveOpen(t *testing.T) {
	ctx := context.Background()
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	src := route.Source{Mixture: m}
	rows := sums(120)
	d, report, err := route.Train(ctx, engine(t), src, rows, route.TrainOptions{Landmarks: 30, Buckets: 256})
	require.NoError(t, err)
	require.Greater(t, report.APGR, report.Baselines["random"]+0.3)
	dir := t.TempDir()
	require.NoError(t, d.Save(dir, ""))
	back, err := route.Open(dir, src)
	require.NoError(t, err)
	want, err := d.Scores(ctx, rows, nil)
	require.NoError(t, err)
	got, err := back.Scores(ctx, rows, nil)
	require.NoError(t, err)
	require.InDeltaSlice(t, want, got, 1e-9)
	hard, err := back.Decide(ctx, rows[0].Prompt, back.Threshold(0.5))
	require.NoError(t, err)
	easy, err := back.Decide(ctx, rows[1].Prompt, back.Threshold(0.5))
	require.NoError(t, err)
	require.Equal(t, route.Strong, hard.Model)
	require.Equal(t, route.ReasonHard, hard.Reason)
	require.Equal(t, route.Weak, easy.Model)
	require.Less(t, easy.Gain, hard.Gain)
	sum := 0.0
	for _, v := range hard.Signals {
		sum += v
	}
	require.InDelta(t, hard.Score, sum, 1e-9)
	require.Greater(t, back.Threshold(0.1), back.Threshold(0.9))

	other, err := model.Open("../testdata/goldens/mixtral", model.Options{})
	require.NoError(t, err)
	defer other.Close()
	_, err = route.Open(dir, route.Source{Mixture: other})
	require.ErrorIs(t, err, learn.ErrFolder)
	path := filepath.Join(dir, route.RouterFile)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.Replace(data, []byte(`\"landmarks\":30`), []byte(`\"landmarks\":31`), 1), 0o644))
	_, err = route.Open(dir, src)
	require.ErrorIs(t, err, learn.ErrFolder)
}

func TestTrainRefusals(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	for name, rows := range map[string][]route.Outcome{
		"few": sums(5), "no text": append(sums(40), route.Outcome{Prompt: " "}), "not UTF-8": append(sums(40), route.Outcome{Prompt: "\xff"}),
		"nothing to choose": make([]route.Outcome, 0),
	} {
		_, _, err := route.Train(context.Background(), engine(t), route.Source{Mixture: m}, rows, route.TrainOptions{})
		require.ErrorIs(t, err, learn.ErrData, name)
	}
	same := sums(40)
	for i := range same {
		same[i].Weak, same[i].Strong = true, true
	}
	_, _, err = route.Train(context.Background(), engine(t), route.Source{Mixture: m}, same, route.TrainOptions{})
	require.ErrorIs(t, err, learn.ErrData)
}

func TestExpertsRow(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	row, err := route.Experts(context.Background(), m, "func main() {")
	require.NoError(t, err)
	require.Len(t, row, 6*16+6)
	for l := range 6 {
		sum := float32(0)
		for _, v := range row[l*16 : (l+1)*16] {
			sum += v
		}
		require.InDelta(t, 1, sum, 1e-5)
		require.Greater(t, row[96+l], float32(0))
	}
	empty, err := route.Experts(context.Background(), m, strings.Repeat("word ", 2000))
	require.NoError(t, err)
	require.Len(t, empty, 102)
}

func TestPlots(t *testing.T) {
	rows := sums(60)
	score := make([]float64, len(rows))
	for i := range score {
		score[i] = float64(i % 5)
	}
	r := route.Evaluate(score, rows)
	dir := t.TempDir()
	require.NoError(t, r.Plot(dir+"/c.svg"))
	data, err := os.ReadFile(dir + "/c.svg")
	require.NoError(t, err)
	dec := xml.NewDecoder(bytes.NewReader(data))
	for err == nil {
		_, err = dec.Token()
	}
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, r.Plot(dir+"/c.png"))
	f, err := os.Open(dir + "/c.png")
	require.NoError(t, err)
	defer f.Close()
	_, err = png.Decode(f)
	require.NoError(t, err)
	require.ErrorContains(t, r.Plot(dir+"/c.gif"), ".svg or .png")
}

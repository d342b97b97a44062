package cascade_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/cascade"
)

func cascadeOf(t *testing.T, o cascade.Options) *cascade.Cascade {
	c, err := cascade.New(o)
	require.NoError(t, err)
	return c
}

func TestWholeAnswer(t *testing.T) {
	c := cascadeOf(t, cascade.Options{Threshold: -1})
	for _, w := range []struct {
		logProbs []float64
		want     cascade.Verdict
		score    float64
	}{
		{[]float64{-0.5, -1.5}, cascade.Keep, -1}, {[]float64{-0.5, -1.6}, cascade.Escalate, -1.05}, {nil, cascade.Escalate, math.Inf(-1)},
		{[]float64{0, math.Inf(-1)}, cascade.Escalate, math.Inf(-1)},
	} {
		j := c.Judge()
		require.True(t, math.IsNaN(j.Score()))
		for _, v := range w.logProbs {
			require.Equal(t, cascade.Undecided, j.Add(v))
		}
		require.Equal(t, w.want, j.Done())
		require.Equal(t, w.score, j.Score())
		require.Equal(t, w.want, j.Add(-100), "a verdict stays")
	}
	j := c.Judge()
	j.Add(math.NaN())
	require.Equal(t, cascade.Escalate, j.Done(), "what is no number is not sure")
}

func TestFirstTokens(t *testing.T) {
	c := cascadeOf(t, cascade.Options{Threshold: -1, First: 3})
	j := c.Judge()
	require.Equal(t, cascade.Undecided, j.Add(-3))
	require.Equal(t, cascade.Undecided, j.Add(0))
	require.Equal(t, cascade.Keep, j.Add(0))
	require.Equal(t, -1.0, j.Score())
	require.Equal(t, cascade.Keep, j.Add(-1000))
	require.Equal(t, cascade.Keep, j.Done())
	short := c.Judge()
	short.Add(-2)
	require.Equal(t, cascade.Escalate, short.Done())
}

type worst struct{}

func (worst) Score(logProbs []float64) float64 {
	low := 0.0
	for _, v := range logProbs {
		low = min(low, v)
	}
	return low
}

func TestOtherScorer(t *testing.T) {
	j := cascadeOf(t, cascade.Options{Threshold: -2, Scorer: worst{}}).Judge()
	j.Add(0)
	j.Add(-3)
	j.Add(0)
	require.Equal(t, cascade.Escalate, j.Done())
	require.Equal(t, -3.0, j.Score())
}

func TestOptions(t *testing.T) {
	_, err := cascade.New(cascade.Options{Threshold: math.NaN()})
	require.ErrorIs(t, err, cascade.ErrOptions)
	_, err = cascade.New(cascade.Options{First: -1})
	require.ErrorIs(t, err, cascade.ErrOptions)
	_, err = cascade.Curve(nil)
	require.ErrorIs(t, err, cascade.ErrRows)
	_, err = cascade.ForShare([]cascade.Row{{Score: math.NaN()}}, 0.5)
	require.ErrorIs(t, err, cascade.ErrRows)
	for _, share := range []float64{-0.1, 1.1, math.NaN()} {
		_, err = cascade.ForShare([]cascade.Row{{}}, share)
		require.ErrorIs(t, err, cascade.ErrOptions)
	}
}

func TestCalibrate(t *testing.T) {
	rows := []cascade.Row{{-3, false, true}, {-0.1, true, true}, {-2, false, true}, {-1, true, false}, {-0.5, true, true}}
	c, err := cascade.ForShare(rows, 0.5)
	require.NoError(t, err)
	require.Equal(t, cascade.Calibration{Threshold: -1.5, Share: 0.4, Quality: 1, Weak: 0.6, Strong: 0.8, Rows: 5}, c)
	c, err = cascade.ForQuality(rows, 0.8)
	require.NoError(t, err)
	require.Equal(t, 0.2, c.Share)
	_, err = cascade.ForQuality(rows[3:], 1.1)
	require.ErrorIs(t, err, cascade.ErrQuality)
	c, err = cascade.ForShare(rows, 1)
	require.NoError(t, err)
	require.Greater(t, c.Threshold, -0.1, "everything escalates")
	c, err = cascade.ForShare(rows, 0)
	require.NoError(t, err)
	require.Equal(t, -3.0, c.Threshold, "nothing does")
}

// A threshold gives on its rows exactly what the calibration says: scores that are equal go together, and no other threshold within the
// share escalates more, or reaches the quality with less.
func TestCalibrationIsTrue(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		rows := make([]cascade.Row, 1+r.IntN(60))
		for i := range rows {
			rows[i] = cascade.Row{Score: -float64(r.IntN(1+r.IntN(20))) / 4, Weak: r.IntN(2) == 0, Strong: r.IntN(3) > 0}
			if r.IntN(10) == 0 {
				rows[i].Score = math.Inf(-1)
			}
		}
		apply := func(threshold float64) (share, quality float64) {
			c := cascadeOf(t, cascade.Options{Threshold: threshold})
			for _, row := range rows {
				j := c.Judge()
				j.Add(row.Score)
				if j.Done() == cascade.Escalate {
					share++
					row.Weak = row.Strong
				}
				if row.Weak {
					quality++
				}
			}
			return share / float64(len(rows)), quality / float64(len(rows))
		}
		curve, err := cascade.Curve(rows)
		require.NoError(t, err)
		for _, c := range curve {
			share, quality := apply(c.Threshold)
			require.Equal(t, c.Share, share)
			require.Equal(t, c.Quality, quality)
		}
		want := r.Float64()
		best, err := cascade.ForShare(rows, want)
		require.NoError(t, err)
		require.LessOrEqual(t, best.Share, want)
		good, err := cascade.ForQuality(rows, want)
		for _, row := range rows {
			for _, threshold := range []float64{row.Score, math.Nextafter(row.Score, 1)} {
				share, quality := apply(threshold)
				require.False(t, share <= want && share > best.Share, "seed %d", seed)
				if err == nil {
					require.False(t, quality >= want && share < good.Share, "seed %d", seed)
				} else {
					require.Less(t, quality, want)
				}
			}
		}
	}
}

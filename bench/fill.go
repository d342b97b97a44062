package bench

import (
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/model"
)

// fill sets the figures that follow from the samples, the cost of a token and the limits.
func (row *ModelRow) fill(t test, c Cost, l Limits) {
	row.Test, row.TestCount = t.name(), t.n
	row.TokS, row.StdDev = median(row.Samples), deviation(row.Samples)
	row.MsPerTok = 1000 / row.TokS
	row.Limit = 1 / c.Seconds(l)
	row.Fraction = row.TokS / row.Limit
	row.Bytes, row.Ops, row.Router = c.Bytes, c.Total(), c.Router
	row.OpsF32, row.OpsInt8, row.OpsBF16 = c.Ops[model.F32], c.Ops[model.Int8], c.Ops[model.BF16]
	row.Read, row.F32, row.Int8, row.BF16, row.Tile, row.TileBF16 = l.Read, l.F32, l.Int8, l.BF16, l.Tile, l.TileBF16
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// deviation is the standard deviation of a sample; 0 of a single one.
func deviation(list []float64) float64 {
	if len(list) < 2 {
		return 0
	}
	mean, sum := 0.0, 0.0
	for _, v := range list {
		mean += v / float64(len(list))
	}
	for _, v := range list {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(list)-1))
}

package kernels

import (
	"encoding/binary"
	"hash"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// eightLanes is the hash of what TestEightLanesAgree computes, as avx2 gave it.
const eightLanes = 0x59f5ec523a6ca906

// TestEightLanesAgree: the levels with registers of eight lanes give the same bits, on amd64 as on arm64.
func TestEightLanesAgree(t *testing.T) {
	for _, level := range []string{"avx2", "avxvnni", "neon", "neondot"} {
		if !slices.Contains(Levels(), level) {
			continue
		}
		h := fnv.New64a()
		e, r := engine(t, level, 2), rand.New(rand.NewPCG(101, 102))
		for _, d := range weightTypes {
			p := Product{Dst: tensor.NewMat(7, 53), X: randomMat(r, 7, 715, 715), W: randomMatrix(r, d, 53, 715)}
			e.MatMul(p)
			hashBits(h, p.Dst.Data)
		}
		hashVectors(h, e.Ops(), r)
		hashAttention(h, e.Ops(), r)
		require.EqualValues(t, uint64(eightLanes), h.Sum64(), level)
	}
}

func hashBits(h hash.Hash, x ...[]float32) {
	for _, x := range x {
		for _, v := range x {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
	}
}

func hashVectors(h hash.Hash, o *Ops, r *rand.Rand) {
	for _, c := range vectorCases() {
		s := make([][]float32, c.args)
		for i := range s {
			s[i] = random(r, 333)
		}
		c.run(o, s)
		hashBits(h, s[0])
	}
	x, y := random(r, 333), random(r, 333)
	hashBits(h, []float32{o.Dot(x, y), o.ExpSum(x, 0.5), o.Max(y)})
	o.Rope(x, y[:100], y[100:200])
	hashBits(h, x)
}

func hashAttention(h hash.Hash, o *Ops, r *rand.Rand) {
	m, top, sum, shrink := randomMat(r, 5, 77, 77), random(r, 5), random(r, 5), random(r, 5)
	o.SoftmaxStep(m, top, sum, shrink)
	hashBits(h, m.Data, top, sum, shrink)
	kv, scores, acc := random(r, 9*80), make([]float32, 9), random(r, 71)
	o.AttnScores(scores, random(r, 71), kv, 80, 0.125)
	o.AttnMix(acc, scores, kv, 80)
	c := randomMat(r, 7, 80, 80)
	o.MulColBlocks(c, randomMat(r, 7, 33, 33), ColBlocks{F32: random(r, 33*80), Row: 80, Block: 16}, true)
	hashBits(h, scores, acc, c.Data)
}

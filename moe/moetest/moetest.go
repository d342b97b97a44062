// Package moetest holds gates to their contract. A new gate calls [TestGate] from its test; a gate that is data, a
// moe.GateSpec, calls [TestSpec], which knows more.
package moetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Subject is a gate under test.
type Subject struct {
	New   func() moe.Gate // a fresh gate; two of them decide alike
	Width int             // H of the rows that it reads
	Vocab int             // ids are below it; 0: any
	// Blind says that the gate does not look at the rows, so that damaged ones cannot trouble it.
	Blind bool
}

// tokens of a call: enough for the selectors to go parallel.
const tokens = 96

// TestGate checks what holds for every gate: ids distinct and in range, weights finite, the same bits on every level
// for any number of threads and any cut of the batch (unless the gate is a CrossToken), extreme rows, NaN refused with
// layer, token and expert, no allocation when warm.
func TestGate(t *testing.T, s Subject) {
	t.Run("well formed", s.wellFormed)
	t.Run("threads", s.threads)
	t.Run("apart and together", s.apart)
	t.Run("extreme rows", s.extreme)
	t.Run("not a number", s.notANumber)
	t.Run("no allocation", s.noAllocation)
}

// engine makes an engine that the test closes.
func engine(t testing.TB, o kernels.Options) *kernels.Engine {
	e, err := kernels.New(o)
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

// call is a call of n tokens with random rows in [-4,4].
func (s *Subject) call(e *kernels.Engine, n int) moe.Call {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	c := moe.Call{Layer: 3, X: tensor.NewMat(n, s.Width), IDs: make([]int32, n), Pos: make([]int32, n), Engine: e}
	for i := range c.X.Data {
		c.X.Data[i] = 8*r.Float32() - 4
	}
	vocab := s.Vocab
	if vocab == 0 {
		vocab = 1 << 16
	}
	for t := range n {
		c.IDs[t], c.Pos[t] = int32(r.IntN(vocab)), int32(t)
	}
	return c
}

// part is tokens [a,b) of a call.
func part(c moe.Call, a, b int) moe.Call {
	c.X, c.IDs, c.Pos = c.X.Slice(a, b), c.IDs[a:b], c.Pos[a:b]
	return c
}

func (s Subject) wellFormed(t *testing.T) {
	c := s.call(engine(t, kernels.Options{Threads: 2}), tokens)
	var r moe.Routing
	require.NoError(t, s.New().Route(&r, c))
	Check(t, &r, tokens)
}

// Check holds a routing of n tokens to its form.
func Check(t testing.TB, r *moe.Routing, n int) {
	t.Helper()
	require.Equal(t, n, r.Tokens())
	require.Equal(t, int32(0), r.Start[0])
	require.Len(t, r.Expert, int(r.Start[n]))
	require.Len(t, r.Weight, len(r.Expert))
	for i := range n {
		ids, weights := r.Of(i)
		seen := map[int32]bool{}
		for j, e := range ids {
			require.False(t, e < 0 || int(e) >= r.E, "token %d: expert %d of %d", i, e, r.E)
			require.False(t, seen[e], "token %d has expert %d twice", i, e)
			require.False(t, math.IsNaN(float64(weights[j])) || math.IsInf(float64(weights[j]), 0), "token %d: weight %v", i, weights[j])
			seen[e] = true
		}
	}
}

func (s Subject) threads(t *testing.T) {
	for _, level := range kernels.Levels() {
		var want moe.Routing
		require.NoError(t, s.New().Route(&want, s.call(engine(t, kernels.Options{Level: level, Threads: 1}), tokens)))
		for _, n := range []int{2, 3} {
			var got moe.Routing
			require.NoError(t, s.New().Route(&got, s.call(engine(t, kernels.Options{Level: level, Threads: n}), tokens)))
			same(t, &want, &got, fmt.Sprintf("%s, %d threads", level, n))
		}
	}
}

func same(t testing.TB, want, got *moe.Routing, about string) {
	t.Helper()
	require.Equal(t, want.Start, got.Start, about)
	require.Equal(t, want.Expert, got.Expert, about)
	require.Equal(t, want.Weight, got.Weight, about)
	require.Equal(t, want.Shared, got.Shared, about)
}

func (s Subject) apart(t *testing.T) {
	g := s.New()
	if x, ok := g.(moe.CrossToken); ok && x.CrossToken() {
		t.Skip("tokens of this gate are not independent")
	}
	c := s.call(engine(t, kernels.Options{Threads: 2}), tokens)
	var whole, piece moe.Routing
	require.NoError(t, g.Route(&whole, c))
	for a := 0; a < tokens; {
		b := min(a+1+a%37, tokens)
		require.NoError(t, g.Route(&piece, part(c, a, b)))
		for i := range b - a {
			ids, weights := whole.Of(a + i)
			gotIDs, gotWeights := piece.Of(i)
			require.Equal(t, ids, gotIDs, "token %d", a+i)
			require.Equal(t, weights, gotWeights, "token %d", a+i)
		}
		a = b
	}
}

// extreme rows must not give weights that are not finite; a gate may refuse what leaves it no choice.
func (s Subject) extreme(t *testing.T) {
	c := s.call(engine(t, kernels.Options{Threads: 1}), 8)
	for i, v := range []float32{0, 1e30, -1e30, 1e-30, math.MaxFloat32 / 1e4, 5} {
		row := c.X.Row(i)
		for j := range row {
			row[j] = v
			if i == 5 { // one outlier
				row[j] = -1e30 * float32(min(j, 1))
			}
		}
	}
	var r moe.Routing
	if err := s.New().Route(&r, c); err != nil {
		require.ErrorIs(t, err, moe.ErrBadScore)
		return
	}
	Check(t, &r, 8)
}

func (s Subject) notANumber(t *testing.T) {
	if s.Blind {
		t.Skip("this gate does not look at the rows")
	}
	c := s.call(engine(t, kernels.Options{Threads: 2}), tokens)
	c.X.Row(5)[0] = float32(math.NaN())
	c.X.Row(70)[0] = float32(math.NaN())
	var r moe.Routing
	err := s.New().Route(&r, c)
	require.True(t, errors.Is(err, moe.ErrBadScore), "%v", err)
	for _, word := range []string{"layer 3", "token 5", "expert "} {
		require.True(t, strings.Contains(err.Error(), word), "%q does not name %q", err, word)
	}
}

func (s Subject) noAllocation(t *testing.T) {
	for _, n := range []int{1, tokens} {
		g, c := s.New(), s.call(engine(t, kernels.Options{Threads: 2}), n)
		var r moe.Routing
		route := func() {
			if err := g.Route(&r, c); err != nil {
				t.Fatal(err)
			}
		}
		route()
		require.Zero(t, testing.AllocsPerRun(5, route), "%d tokens", n)
	}
}

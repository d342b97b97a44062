package moe_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/moe"
)

// Rows stand by expert, then by token; every pair of a real expert has one row that leads back to it.
func TestPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var p moe.Plan
	for range 200 {
		e, null, tokens := 1+r.IntN(20), r.IntN(3), r.IntN(30)
		var g moe.Routing
		g.Reset(e+null, tokens, 4)
		for range tokens {
			for _, x := range r.Perm(e + null)[:r.IntN(min(4, e+null)+1)] {
				g.Add(int32(x), r.Float32())
			}
			g.EndToken()
		}
		p.Build(&g, e)
		checkPlan(t, &p, &g, e)
	}
}

func checkPlan(t *testing.T, p *moe.Plan, g *moe.Routing, e int) {
	require.Len(t, p.Row, len(g.Expert))
	rows := 0
	for i := range g.Tokens() {
		for j := g.Start[i]; j < g.Start[i+1]; j++ {
			row := p.Row[j]
			if int(g.Expert[j]) >= e {
				require.Equal(t, int32(-1), row)
				continue
			}
			rows++
			require.Equal(t, int32(i), p.Token[row])
			require.Equal(t, j, p.Pair[row])
			require.Equal(t, g.Weight[j], p.Weight[row])
		}
	}
	require.Len(t, p.Token, rows)
	require.Equal(t, rows, int(p.Offset[e]))
	for x := range e {
		a, b := p.Of(x)
		for row := a; row < b; row++ {
			require.Equal(t, int32(x), g.Expert[p.Pair[row]])
			require.True(t, row == a || p.Token[row] > p.Token[row-1], "tokens of expert %d ascend", x)
		}
	}
}

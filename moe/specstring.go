package moe

import (
	"fmt"
	"strings"
)

// String is the spec in one line, key=value clauses in the spelling of [ParseOverride] where that can set them; what
// stands at its plain choice is left out but for the axes that differ most: topk, score, norm.
func (g GateSpec) String() string {
	var b clauses
	b.add(true, "experts", g.Experts)
	b.add(g.Null > 0, "null", fmt.Sprintf("%d %s", g.Null, g.NullKind))
	b.add(true, "topk", g.TopK)
	b.add(g.Select != SelectTopK, "select", g.Select)
	b.add(g.Jitter != 0 && g.Select == SelectSparseMixer, "jitter", g.Jitter)
	b.add(g.Input != InputBlock, "input", g.Input)
	b.add(g.Bias, "router_bias", "on")
	b.add(g.Compute != ComputeF32, "compute", g.Compute)
	b.add(g.Softcap != 0, "softcap", g.Softcap)
	b.add(g.Select != SelectSparseMixer, "score", g.Score)
	b.add(g.ChoiceBias, "bias", "on")
	if r := g.Groups; r != nil {
		fill := "-inf"
		if r.FillZero {
			fill = "0"
		}
		b.add(true, "groups", fmt.Sprintf("%d of %d by %s fill %s", r.Keep, r.N, r.Agg, fill))
	}
	b.add(g.WeightFrom != FromScore && g.Select != SelectSparseMixer, "weight", g.WeightFrom)
	b.add(true, "norm", g.norm())
	b.add(g.scale() != 1, "scale", g.Scale)
	b.add(g.PerExpert, "per_expert", "on")
	b.add(g.SumScale != 0 && g.SumScale != 1, "sum_scale", g.SumScale)
	b.add(g.ApplyInput, "apply", "input")
	return strings.Join(b, ";")
}

func (g *GateSpec) norm() string {
	switch g.Norm {
	case NormSum:
		if g.NormFloor > 0 {
			return fmt.Sprintf("on floor %g", g.NormFloor)
		}
		if g.NormEps > 0 {
			return fmt.Sprintf("on eps %g", g.NormEps)
		}
		return "on"
	case NormPow:
		return fmt.Sprintf("p %g", g.NormP)
	case NormShared:
		return fmt.Sprintf("on with %d shared", g.SharedSlots)
	}
	return "off"
}

type clauses []string

func (c *clauses) add(there bool, key string, value any) {
	if there {
		*c = append(*c, fmt.Sprintf("%s=%v", key, value))
	}
}

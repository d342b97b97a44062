package moe

import (
	"fmt"
	"strings"
)

// maxSlots bounds what a spec may size.
const maxSlots = 1 << 20

// Validate checks ranges and combinations; every fault names the field, what was wanted and what was found. The error
// is an [ErrGate].
func (g *GateSpec) Validate() error {
	var f faults
	g.checkKinds(&f)
	g.checkSizes(&f)
	g.checkNumbers(&f)
	if g.Groups != nil {
		g.Groups.check(&f, g)
	}
	if g.Select == SelectSparseMixer {
		f.want(g.TopK <= 2, "topk", "1 or 2 with sparsemixer", g.TopK)
		f.want(!g.ChoiceBias, "choice_bias", "none with sparsemixer", g.ChoiceBias)
	}
	return f.err()
}

func (g *GateSpec) checkKinds(f *faults) {
	f.oneOf("input", g.Input, InputBlock, InputNormed, InputCarried)
	f.oneOf("compute", g.Compute, ComputeF32, ComputeBF16, ComputeF16)
	f.oneOf("score", g.Score, ScoreSoftmax, ScoreSigmoid, ScoreSqrtSoftplus, ScoreIdentity)
	f.oneOf("select", g.Select, SelectTopK, SelectSparseMixer, SelectTable)
	f.oneOf("weight_from", g.WeightFrom, FromScore, FromSoftmaxSelected, FromSigmoidSelected)
	f.oneOf("norm", g.Norm, NormNone, NormSum, NormPow, NormShared)
	if g.Null > 0 {
		f.oneOf("null_kind", g.NullKind, NullIdentity, NullZero)
	}
}

func (g *GateSpec) checkSizes(f *faults) {
	f.want(g.Experts >= 1 && g.Experts <= maxSlots, "experts", fmt.Sprintf("1 to %d", maxSlots), g.Experts)
	f.want(g.Null >= 0 && g.Null <= maxSlots, "null", fmt.Sprintf("0 to %d", maxSlots), g.Null)
	f.want(g.TopK >= 1 && g.TopK <= max(g.Slots(), 1), "topk", fmt.Sprintf("1 to %d", g.Slots()), g.TopK)
	f.want(g.SharedSlots >= 0 && g.SharedSlots <= maxSlots, "shared_slots", fmt.Sprintf("0 to %d", maxSlots), g.SharedSlots)
	f.want((g.Norm == NormShared) == (g.SharedSlots > 0), "shared_slots", "above 0 exactly with norm sum_shared", g.SharedSlots)
	if g.Norm == NormShared {
		f.oneOf("score", g.Score, ScoreSigmoid, ScoreSqrtSoftplus)
		f.want(g.Select != SelectSparseMixer, "select", "topk or table with norm sum_shared", g.Select)
		f.want(g.WeightFrom == FromScore, "weight_from", "score with norm sum_shared", g.WeightFrom)
	}
}

func (g *GateSpec) checkNumbers(f *faults) {
	for _, n := range []struct {
		field string
		value float32
	}{
		{"input_eps", g.InputEps}, {"softcap", g.Softcap}, {"norm_eps", g.NormEps}, {"norm_floor", g.NormFloor},
		{"norm_p", g.NormP}, {"jitter", g.Jitter},
	} {
		f.want(finite(n.value) && n.value >= 0, n.field, "0 or more", n.value)
	}
	f.want(finite(g.Scale), "scale", "a finite number", g.Scale)
	f.want(finite(g.SumScale), "sum_scale", "a finite number", g.SumScale)
	f.want(g.Norm != NormPow || g.NormP > 0, "norm_p", "more than 0 with norm pnorm", g.NormP)
}

func (r *Groups) check(f *faults, g *GateSpec) {
	f.oneOf("groups.agg", r.Agg, GroupMax, GroupTop2Sum)
	f.want(g.Select == SelectTopK, "groups", "none unless select is topk", g.Select)
	if r.N < 1 || g.Experts%r.N != 0 {
		f.want(false, "groups.n", fmt.Sprintf("a divisor of %d experts", g.Experts), r.N)
		return
	}
	f.want(r.Keep >= 1 && r.Keep <= r.N, "groups.keep", fmt.Sprintf("1 to %d", r.N), r.Keep)
	room := r.Keep*(g.Experts/r.N) + g.Null
	f.want(g.TopK <= room || r.FillZero, "topk", fmt.Sprintf("at most the %d experts of the kept groups", room), g.TopK)
}

type faults []string

func (f *faults) want(ok bool, field, want string, found any) {
	if !ok {
		*f = append(*f, fmt.Sprintf("%s: want %s, found %v", field, want, found))
	}
}

func (f *faults) oneOf(field string, found any, allowed ...any) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if a == found {
			return
		}
		names[i] = fmt.Sprintf("%q", a)
	}
	f.want(false, field, "one of "+strings.Join(names, ", "), fmt.Sprintf("%q", found))
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrGate, strings.Join(f, "; "))
}

func finite(v float32) bool { return v-v == 0 }

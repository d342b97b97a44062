package moe_test

import (
	"math"
	"sort"

	"github.com/seed2fbf7788/switchyard/moe"
)

// family is a published gate: its spec, and its formula written anew from the reference implementation, in f64, with
// full sorts and without a line of the package under test.
type family struct {
	name string
	spec moe.GateSpec
	ref  func(in refIn) refOut
}

// refIn is one token: logits, vectors of the gate, the experts that a table lists for it.
type refIn struct {
	l, bias, per []float64
	table        []int
}

// refOut is the weight of each chosen expert, and by how much the closest choice was decided.
type refOut struct {
	w      map[int]float64
	margin float64
}

func spec(e, k int, change ...func(*moe.GateSpec)) moe.GateSpec {
	g := moe.GateSpec{Experts: e, TopK: k, Score: moe.ScoreSoftmax, Select: moe.SelectTopK, WeightFrom: moe.FromScore, Norm: moe.NormNone}
	for _, c := range change {
		c(&g)
	}
	return g
}

func normed(eps float32) func(*moe.GateSpec) {
	return func(g *moe.GateSpec) { g.Norm, g.NormEps = moe.NormSum, eps }
}
func scaled(s float32) func(*moe.GateSpec)      { return func(g *moe.GateSpec) { g.Scale = s } }
func scored(s moe.Score) func(*moe.GateSpec)    { return func(g *moe.GateSpec) { g.Score = s } }
func from(w moe.WeightFrom) func(*moe.GateSpec) { return func(g *moe.GateSpec) { g.WeightFrom = w } }
func biased(g *moe.GateSpec)                    { g.ChoiceBias = true }
func grouped(n, keep int, agg moe.GroupScore, zero bool) func(*moe.GateSpec) {
	return func(g *moe.GateSpec) { g.Groups = &moe.Groups{N: n, Keep: keep, Agg: agg, FillZero: zero} }
}

// families is the table of MoE gates whose axes are data. Sources: transformers models/NAME/modeling_NAME.py, the class
// with Router or Gate in its name; bailing_moe from mlx-lm; inkling from its description.
func families() []family {
	identity := []func(*moe.GateSpec){scored(moe.ScoreIdentity), from(moe.FromSoftmaxSelected)}
	sigmoid := scored(moe.ScoreSigmoid)
	return []family{
		{"olmoe", spec(64, 8), func(in refIn) refOut { return pick(soft(in.l), nil, 8, nil) }},
		{"qwen3_moe", spec(64, 8, normed(0)), func(in refIn) refOut { return pick(soft(in.l), nil, 8, over(0)) }},
		{"mixtral", spec(8, 2, normed(0)), func(in refIn) refOut { return pick(soft(in.l), nil, 2, over(0)) }},
		{"granitemoe", spec(32, 8, identity...), func(in refIn) refOut { return softSelected(in.l, 8) }},
		{"gpt_oss", spec(32, 4, append(identity, func(g *moe.GateSpec) { g.Bias = true })...),
			func(in refIn) refOut { return softSelected(in.l, 4) }},
		{"dbrx p=2", spec(16, 4, func(g *moe.GateSpec) { g.Norm, g.NormP = moe.NormPow, 2 }),
			func(in refIn) refOut { return pick(soft(in.l), nil, 4, norm2) }},
		{"phimoe", spec(16, 2, func(g *moe.GateSpec) { g.Select, g.Jitter = moe.SelectSparseMixer, 0.01 }),
			func(in refIn) refOut { return mixer(in.l, 0.01) }},
		{"phimoe, wide jitter", spec(16, 2, func(g *moe.GateSpec) { g.Select, g.Jitter = moe.SelectSparseMixer, 0.4 }),
			func(in refIn) refOut { return mixer(in.l, 0.4) }},
		{"deepseek_v2 greedy", spec(64, 6), func(in refIn) refOut { return pick(soft(in.l), nil, 6, nil) }},
		{"deepseek_v2", spec(160, 6, scaled(16), grouped(8, 3, moe.GroupMax, true)), func(in refIn) refOut {
			s := soft(in.l)
			return times(16, pick(s, onlyGroups(s, 8, 3, 1, 0), 6, nil))
		}},
		{"deepseek_v3", spec(64, 8, sigmoid, biased, normed(1e-20), scaled(2.5), grouped(8, 4, moe.GroupTop2Sum, false)), func(in refIn) refOut {
			s := each(in.l, logistic)
			return times(2.5, pick(s, onlyGroups(plus(s, in.bias), 8, 4, 2, math.Inf(-1)), 8, over(1e-20)))
		}},
		{"bailing_moe", spec(64, 8, sigmoid, biased, normed(1e-20), grouped(8, 4, moe.GroupTop2Sum, true)), func(in refIn) refOut {
			s := each(in.l, logistic)
			return pick(s, onlyGroups(plus(s, in.bias), 8, 4, 2, 0), 8, over(1e-20))
		}},
		{"mistral4", spec(64, 4, normed(1e-20), grouped(4, 2, moe.GroupTop2Sum, true)), func(in refIn) refOut {
			s := soft(in.l)
			return pick(s, onlyGroups(s, 4, 2, 2, 0), 4, over(1e-20))
		}},
		{"kimi_k2", spec(96, 8, sigmoid, biased, normed(1e-20), scaled(2.827)), func(in refIn) refOut {
			s := each(in.l, logistic)
			return times(2.827, pick(s, plus(s, in.bias), 8, over(1e-20)))
		}},
		{"deepseek_v4", spec(64, 6, scored(moe.ScoreSqrtSoftplus), biased, normed(1e-20), scaled(1.5)), func(in refIn) refOut {
			s := each(in.l, rootSoftplus)
			return times(1.5, pick(s, plus(s, in.bias), 6, over(1e-20)))
		}},
		{"deepseek_v4 hash", spec(64, 6, scored(moe.ScoreSqrtSoftplus), normed(1e-20), scaled(1.5), func(g *moe.GateSpec) { g.Select = moe.SelectTable }),
			func(in refIn) refOut { return times(1.5, listed(each(in.l, rootSoftplus), in.table, over(1e-20))) }},
		{"minimax_m2", spec(64, 8, sigmoid, biased, normed(0)), func(in refIn) refOut {
			s := each(in.l, logistic)
			return pick(s, plus(s, in.bias), 8, over(0))
		}},
		{"lfm2_moe", spec(32, 4, sigmoid, biased, normed(1e-6), scaled(1.25)), func(in refIn) refOut {
			s := each(in.l, logistic)
			return times(1.25, pick(s, plus(s, in.bias), 4, over(1e-6)))
		}},
		{"ernie4_5_moe", spec(64, 6, biased, func(g *moe.GateSpec) { g.Norm, g.NormFloor = moe.NormSum, 1e-12 }), func(in refIn) refOut {
			s := soft(in.l)
			return pick(s, plus(s, in.bias), 6, func(w []float64) float64 { return math.Max(total(w), 1e-12) })
		}},
		{"longcat_flash", spec(24, 12, biased, scaled(6), func(g *moe.GateSpec) { g.Null, g.NullKind = 12, moe.NullIdentity }), func(in refIn) refOut {
			s := soft(in.l)
			return times(6, pick(s, plus(s, in.bias), 12, nil))
		}},
		{"llama4", spec(16, 1, scored(moe.ScoreIdentity), from(moe.FromSigmoidSelected), func(g *moe.GateSpec) { g.ApplyInput = true }), func(in refIn) refOut {
			return pick(each(in.l, logistic), in.l, 1, nil)
		}},
		{"laguna", spec(64, 8, sigmoid, biased, normed(0), func(g *moe.GateSpec) { g.Softcap, g.SumScale = 2, 2.5 }), func(in refIn) refOut {
			s := each(in.l, func(x float64) float64 { return logistic(2 * math.Tanh(x/2)) })
			return pick(s, plus(s, in.bias), 8, over(0))
		}},
		{"gemma4", spec(32, 8, normed(0), func(g *moe.GateSpec) { g.PerExpert = true }), func(in refIn) refOut {
			o := pick(soft(in.l), nil, 8, over(0))
			for e := range o.w {
				o.w[e] *= in.per[e]
			}
			return o
		}},
		{"inkling", spec(32, 4, sigmoid, biased, scaled(1.5), func(g *moe.GateSpec) { g.Norm, g.SharedSlots = moe.NormShared, 1 }), func(in refIn) refOut {
			s := each(in.l, logistic)
			shared := s[32]
			return times(1.5, pick(s[:32], plus(s[:32], in.bias), 4, func(w []float64) float64 { return total(w) + shared }))
		}},
	}
}

func each(v []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = f(x)
	}
	return out
}

func logistic(x float64) float64     { return 1 / (1 + math.Exp(-x)) }
func rootSoftplus(x float64) float64 { return math.Sqrt(math.Log(1 + math.Exp(x))) }

func total(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

func soft(l []float64) []float64 {
	e := each(l, math.Exp)
	s := total(e)
	return each(e, func(x float64) float64 { return x / s })
}

func plus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

// over divides by the sum plus eps.
func over(eps float64) func([]float64) float64 {
	return func(w []float64) float64 { return total(w) + eps }
}

func norm2(w []float64) float64 {
	return math.Sqrt(total(each(w, func(x float64) float64 { return x * x })))
}

// falling lists indices by falling value, ties by lower index.
func falling(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return v[order[a]] > v[order[b]] })
	return order
}

// pick chooses the k best of choice (nil: of score), weighed by score, divided by norm.
func pick(score, choice []float64, k int, norm func([]float64) float64) refOut {
	if choice == nil {
		choice = score
	}
	order := falling(choice)
	o := listed(score, order[:k], norm)
	if k < len(order) {
		o.margin = choice[order[k-1]] - choice[order[k]]
	}
	return o
}

func listed(score []float64, ids []int, norm func([]float64) float64) refOut {
	var w []float64
	for _, e := range ids {
		w = append(w, score[e])
	}
	by := 1.0
	if norm != nil {
		by = norm(w)
	}
	o := refOut{map[int]float64{}, math.Inf(1)}
	for j, e := range ids {
		o.w[e] = w[j] / by
	}
	return o
}

func times(f float64, o refOut) refOut {
	for e := range o.w {
		o.w[e] *= f
	}
	return o
}

func softSelected(l []float64, k int) refOut {
	o := pick(l, nil, k, nil)
	sum := 0.0
	for _, v := range o.w {
		sum += math.Exp(v)
	}
	for e, v := range o.w {
		o.w[e] = math.Exp(v) / sum
	}
	return o
}

// onlyGroups sets the choice of experts outside the keep best of n groups to fill; a group counts its best members.
func onlyGroups(choice []float64, n, keep, best int, fill float64) []float64 {
	size := len(choice) / n
	score := make([]float64, n)
	for g := range n {
		part := append([]float64(nil), choice[g*size:(g+1)*size]...)
		sort.Sort(sort.Reverse(sort.Float64Slice(part)))
		score[g] = total(part[:best])
	}
	out := make([]float64, len(choice))
	for i := range out {
		out[i] = fill
	}
	for _, g := range falling(score)[:keep] {
		copy(out[g*size:(g+1)*size], choice[g*size:(g+1)*size])
	}
	return out
}

// mixer is sparsemixer of phimoe as the reference has it: a mask per step, softmax of what the mask leaves.
func mixer(l []float64, jitter float64) refOut {
	o := refOut{map[int]float64{}, math.Inf(1)}
	masked := append([]float64(nil), l...)
	for range 2 {
		order := falling(masked)
		win, top := order[0], masked[order[0]]
		o.margin = math.Min(o.margin, top-masked[order[1]])
		kept := make([]float64, len(l))
		for i := range l {
			ratio := (top - l[i]) / math.Max(math.Abs(l[i]), top)
			o.margin = math.Min(o.margin, math.Abs(ratio-2*jitter))
			kept[i] = masked[i]
			if ratio > 2*jitter {
				kept[i] = math.Inf(-1)
			}
		}
		o.w[win] = soft(kept)[win]
		masked[win] = math.Inf(-1)
	}
	return o
}

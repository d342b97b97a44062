package moe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Override is one change of gate specifications: a field, its new value, and the layers it is for.
type Override struct {
	Layers []LayerRange // empty: all mixture layers
	Key    string
	Value  string
	set    func(*GateSpec)
}

// LayerRange is From to To, both included.
type LayerRange struct{ From, To int }

// setters lists what can be overridden: how a value is read, and what is allowed in words.
func setters() map[string]struct {
	allowed string
	parse   func(v string) (func(*GateSpec), bool)
} {
	type setter = struct {
		allowed string
		parse   func(v string) (func(*GateSpec), bool)
	}
	number := func(least float64, set func(*GateSpec, float32)) func(string) (func(*GateSpec), bool) {
		return func(v string) (func(*GateSpec), bool) {
			f, err := strconv.ParseFloat(v, 32)
			return func(g *GateSpec) { set(g, float32(f)) }, err == nil && f >= least && !math.IsInf(f, 0)
		}
	}
	return map[string]setter{
		"topk": {"a number from 1 to the experts of the layer", func(v string) (func(*GateSpec), bool) {
			k, err := strconv.Atoi(v)
			return func(g *GateSpec) { g.TopK = k }, err == nil && k >= 1
		}},
		"score": {"softmax, sigmoid, sqrtsoftplus or identity", func(v string) (func(*GateSpec), bool) {
			s := Score(v)
			return func(g *GateSpec) { g.Score = s }, slices.Contains([]Score{ScoreSoftmax, ScoreSigmoid, ScoreSqrtSoftplus, ScoreIdentity}, s)
		}},
		"weight": {"score, softmax_selected or sigmoid_selected", func(v string) (func(*GateSpec), bool) {
			w := WeightFrom(v)
			return func(g *GateSpec) { g.WeightFrom = w }, slices.Contains([]WeightFrom{FromScore, FromSoftmaxSelected, FromSigmoidSelected}, w)
		}},
		"norm": {"on or off", func(v string) (func(*GateSpec), bool) {
			return func(g *GateSpec) {
				g.Norm = NormNone
				if v == "on" {
					g.Norm = NormSum
				}
			}, v == "on" || v == "off"
		}},
		"select": {"topk or sparsemixer", func(v string) (func(*GateSpec), bool) {
			s := Select(v)
			return func(g *GateSpec) { g.Select = s }, s == SelectTopK || s == SelectSparseMixer
		}},
		"scale":   {"a number", number(-math.MaxFloat32, func(g *GateSpec, f float32) { g.Scale = f })},
		"softcap": {"0 or more", number(0, func(g *GateSpec, f float32) { g.Softcap = f })},
		"jitter":  {"0 or more", number(0, func(g *GateSpec, f float32) { g.Jitter = f })},
		"groups": {"off", func(v string) (func(*GateSpec), bool) {
			return func(g *GateSpec) { g.Groups = nil }, v == "off"
		}},
		"compute": {"f32 or bf16", func(v string) (func(*GateSpec), bool) {
			return func(g *GateSpec) {
				g.Compute = ComputeF32
				if v == "bf16" {
					g.Compute = ComputeBF16
				}
			}, v == "f32" || v == "bf16"
		}},
	}
}

// ParseOverride reads "layers=4-8;topk=4;score=sigmoid;norm=off": clauses separated by semicolons, in order. layers=
// (one layer, a-b, or several with commas) holds for the clauses behind it. A clause that is wrong is refused with
// what is allowed.
func ParseOverride(text string) ([]Override, error) {
	var out []Override
	var layers []LayerRange
	known := setters()
	for _, clause := range strings.Split(text, ";") {
		if clause = strings.TrimSpace(clause); clause == "" {
			continue
		}
		key, value, ok := strings.Cut(clause, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if key == "layers" && ok {
			var err error
			if layers, err = parseLayers(value); err != nil {
				return nil, err
			}
			continue
		}
		s, found := known[key]
		if !ok || !found {
			return nil, fmt.Errorf("%w: override %q: want KEY=VALUE with KEY one of layers, %s", ErrGate, clause, names(known))
		}
		set, ok := s.parse(value)
		if !ok {
			return nil, fmt.Errorf("%w: override %s: want %s, found %q", ErrGate, key, s.allowed, value)
		}
		out = append(out, Override{Layers: layers, Key: key, Value: value, set: set})
	}
	return out, nil
}

func names[V any](m map[string]V) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func parseLayers(text string) ([]LayerRange, error) {
	var out []LayerRange
	for _, part := range strings.Split(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && ranged {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 0 || b < a {
			return nil, fmt.Errorf("%w: override layers: want 3, 0-3 or 0-3,7, found %q", ErrGate, text)
		}
		out = append(out, LayerRange{a, b})
	}
	return out, nil
}

// ApplyOverrides changes the gates of a model in order; gates has an entry for each layer, nil for a dense one. It
// fails where a range names a layer that does not exist, names dense layers only, or leaves a gate that cannot work.
func ApplyOverrides(list []Override, gates []*GateSpec) error {
	for _, o := range list {
		if err := o.apply(gates); err != nil {
			return fmt.Errorf("override %s=%s: %w", o.Key, o.Value, err)
		}
	}
	for i, g := range gates {
		if g == nil || len(list) == 0 {
			continue
		}
		if err := g.Validate(); err != nil {
			return fmt.Errorf("layer %d after overrides: %w", i, err)
		}
	}
	return nil
}

func (o *Override) apply(gates []*GateSpec) error {
	ranges := o.Layers
	if len(ranges) == 0 {
		ranges = []LayerRange{{0, len(gates) - 1}}
	}
	for _, r := range ranges {
		if r.To >= len(gates) {
			return fmt.Errorf("%w: layers: want 0 to %d, found %d", ErrGate, len(gates)-1, r.To)
		}
		met := false
		for _, g := range gates[r.From : r.To+1] {
			if g != nil {
				o.set(g)
				met = true
			}
		}
		if !met {
			return fmt.Errorf("%w: layers %d to %d: want mixtures of experts, found only dense layers", ErrGate, r.From, r.To)
		}
	}
	return nil
}

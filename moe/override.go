package moe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Override is one change of gate specifications: a key and its new value, as text of the language that [ParseOverride]
// reads, and the layers it is for.
type Override struct {
	Layers []LayerRange `json:"layers,omitempty"` // empty: all mixture layers
	Key    string       `json:"key"`
	Value  string       `json:"value"`
}

// LayerRange is From to To, both included.
type LayerRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// ParseOverride reads "layers=4-8;topk=4;score=sigmoid;norm=off": clauses separated by semicolons, in order. layers=
// (one layer, a-b, or several with commas) holds for the clauses behind it. A clause that is wrong is refused with
// what is allowed and what was found; the error is an [ErrGate]. Empty text is no override.
func ParseOverride(text string) ([]Override, error) {
	var out []Override
	var layers []LayerRange
	for _, clause := range strings.Split(text, ";") {
		if clause = strings.TrimSpace(clause); clause == "" {
			continue
		}
		key, value, ok := strings.Cut(clause, "=")
		if !ok {
			return nil, fmt.Errorf("%w: override: want KEY=VALUE, found %q", ErrGate, clause)
		}
		o := Override{Layers: layers, Key: strings.TrimSpace(key), Value: strings.TrimSpace(value)}
		if o.Key == "layers" {
			var err error
			if layers, err = parseLayers(o.Value); err != nil {
				return nil, err
			}
			continue
		}
		if _, err := o.setter(); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// ParseLayers reads 3, 0-3 or 0-3,7; empty text is no range, which stands for all layers.
func ParseLayers(text string) ([]LayerRange, error) {
	if text == "" {
		return nil, nil
	}
	return parseLayers(text)
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

// setter is the change that the override makes to one gate.
func (o *Override) setter() (func(*GateSpec) error, error) {
	known := overrideKeys()
	k, ok := known[o.Key]
	if !ok {
		return nil, fmt.Errorf("%w: override: want a key of layers, %s, found %q", ErrGate,
			strings.Join(slices.Sorted(maps.Keys(known)), ", "), o.Key)
	}
	set, ok := k.read(o.Value)
	if !ok {
		return nil, fmt.Errorf("%w: override %s: want %s, found %q", ErrGate, o.Key, k.allowed, o.Value)
	}
	return set, nil
}

// ApplyOverrides changes the gates of a model in order; gates has an entry for each layer, nil for a dense one. It
// fails where a range names a layer that does not exist or dense layers only, where a change means nothing for a gate,
// or where a gate is left that cannot work (more experts a token than there are). After an error gates are half changed
// and must not be used.
func ApplyOverrides(list []Override, gates []*GateSpec) error {
	for _, o := range list {
		if err := o.apply(gates); err != nil {
			return err
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
	set, err := o.setter()
	if err != nil {
		return err
	}
	ranges := o.Layers
	if len(ranges) == 0 {
		ranges = []LayerRange{{0, len(gates) - 1}}
	}
	for _, r := range ranges {
		if r.From < 0 || r.To < r.From || r.To >= len(gates) {
			return fmt.Errorf("%w: override %s: layers: want 0 to %d, found %d-%d", ErrGate, o.Key, len(gates)-1, r.From, r.To)
		}
		met := false
		for i, g := range gates[r.From : r.To+1] {
			if g == nil {
				continue
			}
			if err := set(g); err != nil {
				return fmt.Errorf("%w: override %s: layer %d: %w", ErrGate, o.Key, r.From+i, err)
			}
			met = true
		}
		if !met {
			return fmt.Errorf("%w: override %s: layers: want mixtures of experts, found %d-%d, which are dense", ErrGate, o.Key, r.From, r.To)
		}
	}
	return nil
}

package moe

import (
	"cmp"
	"fmt"
	"slices"
)

// Check says whether the edit can work on a gate: experts that exist, none both forced and dropped or promoted and
// demoted, not all dropped, not more forced than there are slots. Errors are an [ErrGate].
func (e *Edit) Check(g *GateSpec) error {
	for _, l := range []struct {
		name string
		ids  []int32
	}{{"force", e.Force}, {"drop", e.Drop}, {"promote", e.Promote}, {"demote", e.Demote}} {
		for _, x := range l.ids {
			if x < 0 || int(x) >= g.Slots() {
				return fmt.Errorf("%w: %s: want an expert from 0 to %d, found %d", ErrGate, l.name, g.Slots()-1, x)
			}
		}
	}
	if err := e.contradiction(); err != nil {
		return err
	}
	if n := distinct(e.Drop); n > 0 && n == g.Slots() {
		return fmt.Errorf("%w: drop: want at least one expert to stay, found all %d dropped", ErrGate, n)
	}
	slots := g.TopK
	if e.varies() {
		slots = g.Slots()
		if e.Max > 0 {
			slots = min(slots, e.Max)
		}
	}
	if n := distinct(e.Force); n > slots {
		return fmt.Errorf("%w: force: want at most the %d slots of a token, found %d experts", ErrGate, slots, n)
	}
	if e.Min < 0 || e.Max < 0 || e.Min > g.Slots() || e.Max > 0 && e.Min > e.Max {
		return fmt.Errorf("%w: min, max: want 0 ≤ min ≤ max and min at most %d, found %d and %d", ErrGate, g.Slots(), e.Min, e.Max)
	}
	if e.Bias != nil && len(e.Bias) != g.Slots() {
		return fmt.Errorf("%w: bias: want %d values, found %d", ErrGate, g.Slots(), len(e.Bias))
	}
	if e.editsChoice() && g.Select != SelectTopK {
		return fmt.Errorf("%w: edit of the choice: want a gate that selects by topk, found %s", ErrGate, g.Select)
	}
	return nil
}

// contradiction finds an expert that is wanted and not wanted.
func (e *Edit) contradiction() error {
	return cmp.Or(disjoint("force", e.Force, "drop", e.Drop), disjoint("force", e.Force, "demote", e.Demote),
		disjoint("promote", e.Promote, "drop", e.Drop), disjoint("promote", e.Promote, "demote", e.Demote))
}

func disjoint(a string, x []int32, b string, y []int32) error {
	for _, e := range x {
		if slices.Contains(y, e) {
			return fmt.Errorf("%w: want expert %d in one of %s and %s, found it in both", ErrGate, e, a, b)
		}
	}
	return nil
}

func distinct(ids []int32) int {
	return len(slices.Compact(slices.Sorted(slices.Values(ids))))
}

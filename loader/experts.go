package loader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// ExpertTensors are the weights of a layer's experts, one entry an expert, whatever the layout on disk. They are views
// of the file wherever that has the rows in order; otherwise repacked copies, or after [Binder.LeaveTurned] the file's own
// bytes as [Turned].
type ExpertTensors struct {
	Layout string           // as [Layouts] names it
	Gate   []*tensor.Tensor // [I,H] each; nil entries for ungated experts
	Up     []*tensor.Tensor // [I,H] each
	Down   []*tensor.Tensor // [H,I] each

	// The names of the file's tensors that the three of each expert lie in; experts of a fused layout share them.
	GateName, UpName, DownName []string
	// Turned are gate, up and down of each expert where LeaveTurned left them as they lie; then the lists above are nil.
	Turned [][3]Turned
}

// LeaveTurned makes Experts leave transposed experts as they lie in the file, for callers that read rows once.
func (b *Binder) LeaveTurned() { b.leave = true }

// Experts claims the weights of e experts of width i over hidden width h, of the layer whose tensors begin with prefix
// ("model.layers.3."). The layout is found by the names alone, never by the model's type; whether fused tensors are
// transposed is read off the shapes of both, which cannot both fit both ways. No known layout, or several, is a fault.
// On a fault entries are nil, or the lists empty.
func (b *Binder) Experts(prefix string, e, i, h int) ExpertTensors {
	found := b.findPerExpert(prefix, perExpertLayouts(), e, i, h)
	for _, l := range fusedLayouts() {
		if b.Has(prefix+l.gateUp) || b.Has(prefix+l.down) {
			found = append(found, candidate{l.name, func() ExpertTensors { return b.fused(prefix, l, e, i, h) }})
		}
	}
	return b.takeOnly(prefix, found)
}

// UngatedExperts is [Binder.Experts] for experts of two matrices, up and down, as Nemotron has them: every Gate is nil.
func (b *Binder) UngatedExperts(prefix string, e, i, h int) ExpertTensors {
	return b.takeOnly(prefix, b.findPerExpert(prefix, ungatedLayouts(), e, i, h))
}

// candidate is a layout that has tensors in a layer, and how to claim them.
type candidate struct {
	name string
	take func() ExpertTensors
}

// findPerExpert looks for any matrix of any expert, so that a layer without its first one is told apart from a layer
// of an unknown layout.
func (b *Binder) findPerExpert(prefix string, layouts []perExpert, e, i, h int) []candidate {
	var found []candidate
	for _, l := range layouts {
		if b.countExperts(prefix, l) > 0 {
			found = append(found, candidate{l.name, func() ExpertTensors { return b.perExpert(prefix, l, e, i, h) }})
		}
	}
	return found
}

// countExperts is how many experts of a layout the layer has, in the matrix that has most of them.
func (b *Binder) countExperts(prefix string, l perExpert) int {
	return max(b.stems[prefix+l.gate], b.stems[prefix+l.up], b.stems[prefix+l.down])
}

// countStems counts names that differ in the number of the expert only: "….experts.17.w1.weight" counts for
// "….experts.%d.w1.weight".
func countStems(names []string) map[string]int {
	const mark = "experts."
	stems := map[string]int{}
	for _, name := range names {
		at := strings.LastIndex(name, mark) + len(mark)
		if at < len(mark) {
			continue
		}
		number, rest, ok := strings.Cut(name[at:], ".")
		if _, err := strconv.ParseUint(number, 10, 31); ok && err == nil {
			stems[name[:at]+"%d."+rest]++
		}
	}
	return stems
}

// takeOnly claims the one layout that was found.
func (b *Binder) takeOnly(prefix string, found []candidate) ExpertTensors {
	if len(found) == 1 {
		return found[0].take()
	}
	what := "none of them"
	if len(found) > 1 {
		names := make([]string, len(found))
		for n, c := range found {
			names[n] = c.name
		}
		what = "several: " + strings.Join(names, ", ")
	}
	b.fault(ErrLayout, prefix+"experts", "the tensors of one known layout (per expert, or fused)", what)
	return ExpertTensors{}
}

// fewMissing is how many experts may be missing before one fault stands for all: e comes from a config, and must not
// size anything that the files do not back.
const fewMissing = 8

func (b *Binder) perExpert(prefix string, l perExpert, e, i, h int) ExpertTensors {
	have := b.countExperts(prefix, l)
	if e > have+fewMissing {
		at := strings.TrimSuffix(prefix+l.down[:strings.Index(l.down, "%d")], ".")
		b.fault(ErrMissing, at, fmt.Sprintf("%d experts", e), strconv.Itoa(have))
	}
	out := newExperts(l.name, min(e, have+fewMissing))
	for x := range out.Up {
		if l.gate != "" {
			out.GateName[x] = prefix + fmt.Sprintf(l.gate, x)
			b.Need(&out.Gate[x], out.GateName[x], i, h)
		}
		out.UpName[x], out.DownName[x] = prefix+fmt.Sprintf(l.up, x), prefix+fmt.Sprintf(l.down, x)
		b.Need(&out.Up[x], out.UpName[x], i, h)
		b.Need(&out.Down[x], out.DownName[x], h, i)
	}
	return out
}

func newExperts(layout string, e int) ExpertTensors {
	list, names := make([]*tensor.Tensor, 3*e), make([]string, 3*e)
	return ExpertTensors{
		Layout: layout, Gate: list[:e:e], Up: list[e : 2*e : 2*e], Down: list[2*e:],
		GateName: names[:e:e], UpName: names[e : 2*e : 2*e], DownName: names[2*e:],
	}
}

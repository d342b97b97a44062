package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// GateOverride is a text of the language of gates (moe.ParseGate), compiled for one model: what Span.Gate takes, so that
// sequences of one batch follow gates of their own. Any number of spans may share one; it is used under the model's lock
// only. Compiling reads no weights and takes microseconds a layer, unless the text names a file.
type GateOverride struct {
	m      *Model
	text   string
	layers []*moe.Variant // nil where dense
	whole  bool           // some gate decides about tokens together
}

// CompileGate makes an override that works on top of Options.Gate: its clauses stand behind those. Empty text gives nil,
// which is the model's own gates. Errors wrap moe.ErrGate or moe.ErrReplay and say what is allowed.
func (m *Model) CompileGate(text string) (*GateOverride, error) {
	return m.CompileGateFiles(text, moe.Files{})
}

// CompileGateFiles is CompileGate with files in memory, by the names that the text has for them; others are read.
func (m *Model) CompileGateFiles(text string, files moe.Files) (*GateOverride, error) {
	p, err := moe.ParseProgram(text)
	if err != nil || p.Empty() {
		return nil, err
	}
	layers, err := m.compile(m.program.Then(p), files)
	if err != nil {
		return nil, err
	}
	return &GateOverride{m: m, text: text, layers: layers, whole: crossing(layers)}, nil
}

// OverrideGates makes an override of gates that are written in Go: f gives the gate of each mixture layer, or own, which is
// the layer's gate, its to keep. name stands for the override where its text would. A gate that gives a token more than
// spec.TopK experts cannot be traced to a file.
func (m *Model) OverrideGates(name string, f func(layer int, own moe.Gate, spec *moe.GateSpec) moe.Gate) (*GateOverride, error) {
	layers, err := m.compile(m.program, moe.Files{})
	if err != nil {
		return nil, err
	}
	for i, v := range layers {
		if v != nil {
			v.Gate = f(i, v.Gate, &v.Spec)
		}
	}
	return &GateOverride{m: m, text: name, layers: layers, whole: crossing(layers)}, nil
}

// String is the text that was compiled; "" for nil. Two overrides of one model with one text decide alike.
func (g *GateOverride) String() string {
	if g == nil {
		return ""
	}
	return g.text
}

// WholeText says that a gate decides about tokens together (expert choice, soft mixtures), so that a prompt must be one
// call and nothing can be decoded; nil asks about the model's own gates.
func (m *Model) WholeText(g *GateOverride) bool {
	if g == nil {
		return m.whole
	}
	return g.whole
}

// Gates are the gates in force, layer by layer, nil where a layer is dense; with an override, those under it. They must
// not be used or changed.
func (m *Model) Gates(g *GateOverride) []*moe.Variant {
	if g == nil {
		return m.gates
	}
	return g.layers
}

// GateText is Options.Gate.
func (m *Model) GateText() string { return m.opts.Gate }

// Router is the checkpoint's own gate of a mixture layer: spec and weights, views of the mapped file. Nil for a dense layer.
func (m *Model) Router(layer int) *moe.RouterOf { return m.routers[layer] }

// RouterName is the name of the router's weight in the checkpoint.
func (m *Model) RouterName(layer int) string { return m.weights.Layers[layer].RouterName }

// CopyCheckpoint writes the checkpoint to a new folder with some tensors replaced; see loader.Checkpoint.Copy.
func (m *Model) CopyCheckpoint(dst string, replace map[string]*tensor.Tensor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return m.ckpt.Copy(dst, replace)
}

// Compute is the arithmetic of products, as in Options.
func (m *Model) Compute() string { return or(m.opts.Compute, ComputeF32) }

func crossing(layers []*moe.Variant) bool {
	for _, v := range layers {
		if v != nil {
			if x, ok := v.Gate.(moe.CrossToken); ok && x.CrossToken() {
				return true
			}
		}
	}
	return false
}

func (m *Model) compile(p moe.Program, given moe.Files) ([]*moe.Variant, error) {
	files, err := m.gateFiles(p.Edits, given)
	if err != nil {
		return nil, err
	}
	return p.Compile(m.routers, files)
}

// override puts the gates of Options.Gate in place of the checkpoint's.
func (m *Model) override() error {
	m.routers = make([]*moe.RouterOf, len(m.spec.Layers))
	for i := range m.weights.Layers {
		if l := &m.weights.Layers[i]; l.MoE != nil {
			m.routers[i] = &moe.RouterOf{Spec: l.MoE.Spec, Weights: l.Router}
		}
	}
	var err error
	if m.gates, err = m.compile(m.program, moe.Files{}); err != nil {
		return err
	}
	m.whole = crossing(m.gates)
	for i, v := range m.gates {
		if v == nil {
			continue
		}
		b := m.weights.Layers[i].MoE
		b.Spec, b.Gate, m.spec.Layers[i].MoE.Gate = v.Spec, v.Gate, v.Spec
		if v.SharedOff {
			b.Shared = nil
		}
	}
	return nil
}

// gateRun is neighbouring tokens of a batch that follow one override; nil is the model's own gates.
type gateRun struct {
	from, to int
	gate     *GateOverride
}

// follow notes that tokens [from,to) are of one span. Neighbours with one gate are one run, unless it decides about
// tokens together.
func (st *state) follow(m *Model, from, to int, g *GateOverride) {
	if n := len(st.runs); n > 0 && st.runs[n-1].gate == g && !m.WholeText(g) {
		st.runs[n-1].to = to
		return
	}
	st.runs = append(st.runs, gateRun{from, to, g})
}

// parts are the runs as layer i sees them; none where every token follows the model's own gate.
func (st *state) parts(m *Model, i int) []moe.Part {
	st.partList = st.partList[:0]
	if len(st.runs) == 1 && st.runs[0].gate == nil {
		return nil
	}
	for _, r := range st.runs {
		st.partList = append(st.partList, moe.Part{From: r.from, To: r.to, Use: m.Gates(r.gate)[i]})
	}
	return st.partList
}

// checkGate refuses an override of another model.
func (m *Model) checkGate(i int, g *GateOverride) error {
	if g != nil && g.m != m {
		return fmt.Errorf("%w: span %d: want a gate that this model compiled", ErrOption, i)
	}
	return nil
}

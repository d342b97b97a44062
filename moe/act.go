package moe

import (
	"cmp"

	"github.com/seed2fbf7788/switchyard/kernels"
)

// Act is what happens between the products of an expert or a dense feed-forward. The zero value is SwiGLU.
type Act struct {
	Kind  ActKind            `json:"kind,omitempty"`
	Func  kernels.Activation `json:"func"`            // of the plain kinds
	Limit float32            `json:"limit,omitempty"` // L of the clamped kinds
	Alpha float32            `json:"alpha,omitempty"` // of the OAI kind; 0 means 1.702
}

// ActKind is how gate g and up u become one value.
type ActKind string

// f(g)·u; f(u) with no gate (nemotron_h's relu²); (clamp(u)+1)·g·σ(αg) with g ≤ L (gpt_oss, minimax_m3);
// silu(min(g,L))·clamp(u) (deepseek_v4); min(silu(g),L)·clamp(u) (step3p5). clamp is to ±L.
const (
	ActGLU       ActKind = ""
	ActPlain     ActKind = "plain"
	ActOAI       ActKind = "swiglu_oai"
	ActClampPre  ActKind = "swiglu_clamp"
	ActClampPost ActKind = "swiglu_clamp_post"
)

// GLU is the gated unit of a plain activation.
func GLU(f kernels.Activation) Act { return Act{Func: f} }

// Validate checks kind and limit; the error is an [ErrGate].
func (a Act) Validate() error {
	var f faults
	f.oneOf("act.kind", a.Kind, ActGLU, ActPlain, ActOAI, ActClampPre, ActClampPost)
	f.want(!a.clamped() || (a.Limit > 0 && finite(a.Limit)), "act.limit", "above 0 with a clamped kind", a.Limit)
	f.want(finite(a.Alpha), "act.alpha", "a finite number", a.Alpha)
	return f.err()
}

// clamped reports kinds that no kernel fuses.
func (a Act) clamped() bool { return a.Kind != ActGLU && a.Kind != ActPlain }

// apply computes a clamped kind: g = act(g, u), element by element.
func (a Act) apply(g, u []float32) {
	alpha := cmp.Or(a.Alpha, 1.702)
	for i := range g {
		gate, up := g[i], min(max(u[i], -a.Limit), a.Limit)
		switch a.Kind {
		case ActOAI:
			gate = min(gate, a.Limit)
			g[i] = (up + 1) * gate * sigmoid(alpha*gate)
		case ActClampPre:
			gate = min(gate, a.Limit)
			g[i] = gate * sigmoid(gate) * up
		case ActClampPost:
			g[i] = min(gate*sigmoid(gate), a.Limit) * up
		}
	}
}

package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// BlockSpec says what stands around the gate: the experts' activation and the shared experts.
type BlockSpec struct {
	Act    Act         `json:"act"`
	Shared *SharedSpec `json:"shared,omitempty"`
}

// SharedSpec describes experts that work on every token.
type SharedSpec struct {
	Width int        `json:"width"`
	Gate  SharedGate `json:"gate,omitempty"`
}

// SharedGate says what multiplies the shared experts' output.
type SharedGate string

// Shared experts are added as they are, or multiplied by sigmoid(W·x).
const (
	SharedPlain   SharedGate = ""
	SharedSigmoid SharedGate = "sigmoid"
)

// Observer sees the routing of every mixture layer of a forward pass, after the gate has decided and before the experts
// work. It must not keep or change r. A nil Observer costs nothing.
type Observer interface {
	ObserveRouting(layer int, r *Routing)
}

// Block is one mixture layer: dst = Σ_slots w·expert(x) · SumScale + shared(x).
type Block struct {
	Spec    GateSpec // combination: what is applied outside the gate
	Gate    Gate
	Experts Experts
	Shared  *Shared // or nil
}

// State is the scratch of one forward pass; layers share it. It grows to the largest call met and is used again.
type State struct {
	Routing Routing
	plan    Plan
	mlp     mlpJob
	up      upJob
	down    downJob
	combine combineJob
	inner   buffer // [N,I]
	gather  buffer // [N,H]
	outer   buffer // [N,H]
	shared  buffer // [T,H]
	sigma   buffer // [T,1]
	prod    [1]kernels.Product
}

// buffer is a matrix over memory that is kept.
type buffer struct{ data []float32 }

func (b *buffer) mat(rows, cols int) tensor.Mat {
	if cap(b.data) < rows*cols {
		b.data = make([]float32, rows*cols)
	}
	return tensor.MatOf(b.data[:rows*cols], rows, cols)
}

// Forward fills dst [T,H] from x [T,H]; they must not overlap. Bits do not depend on the number of threads or on which
// other tokens are in the call, unless the gate is a [CrossToken].
func (b *Block) Forward(e *kernels.Engine, dst, x tensor.Mat, c Call, s *State, watch Observer) error {
	if err := b.Gate.Route(&s.Routing, c); err != nil {
		return err
	}
	if err := s.Routing.check(x.Rows, b.Spec.Slots(), c.Layer); err != nil {
		return err
	}
	if watch != nil {
		watch.ObserveRouting(c.Layer, &s.Routing)
	}
	b.Experts.run(e, x, b.Spec.ApplyInput, s)
	if b.Shared != nil {
		b.Shared.run(e, x, s)
	}
	s.combine = combineJob{e: e, b: b, s: s, dst: dst, x: x}
	s.combine.run()
	return nil
}

// check holds a gate to its contract, so that an experiment's mistake is an error and not a crash.
func (r *Routing) check(tokens, slots, layer int) error {
	if r.Tokens() != tokens || int(r.Start[tokens]) != len(r.Expert) || len(r.Expert) != len(r.Weight) {
		return fmt.Errorf("%w: layer %d: routing of %d tokens, %d experts and %d weights for %d tokens",
			ErrGate, layer, r.Tokens(), len(r.Expert), len(r.Weight), tokens)
	}
	for i, e := range r.Expert {
		if e < 0 || int(e) >= slots {
			return fmt.Errorf("%w: layer %d: expert %d in pair %d, want 0 to %d", ErrGate, layer, e, i, slots-1)
		}
	}
	return nil
}

package model

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Weights is everything that was read: matrices are views of the mapped checkpoint in the dtype of the file, vectors
// are widened to f32.
type Weights struct {
	Embed    kernels.Matrix // [V,H]
	Norm     Norm           // [H]
	Head     kernels.Matrix // [V,H]; Embed where tied
	HeadBias []float32      // [V] or nil
	Layers   []LayerWeights
}

// LayerWeights belongs to one layer.
type LayerWeights struct {
	AttnNorm Norm // before the mixer, or behind it in post-norm models
	FFNNorm  Norm // before the feed-forward, or behind it
	Mixer    Mixer
	Dense    *moe.MLP   // nil in a mixture layer
	MoE      *moe.Block // nil in a dense layer

	Router     moe.RouterWeights // of the mixture's gate, as the checkpoint has them
	RouterName string            // of Router.W in the checkpoint
}

// Norm is the weight [H] of a normalisation, and its bias for LayerNorm.
type Norm struct{ Weight, Bias []float32 }

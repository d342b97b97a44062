package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/seed2fbf7788/switchyard/loader"
)

// Version of the library and the program.
const Version = "0.1.0-dev"

// hashEnds is how much of a tensor's beginning and end goes into a model's hash: reading all of a large checkpoint
// would take longer than most runs.
const hashEnds = 4096

// Hash identifies the weights: SHA-256 over the name, dtype, shape and the first and last 4 KiB of every tensor in use, by
// name, and the scheme where they are quantised. Two checkpoints that differ only in the midst of a tensor have the same hash.
func (m *Model) Hash() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return hashOf(m.ckpt, m.claims, m.scheme)
}

// knows says whether a hash is that of these weights, quantised in any way or not.
func (m *Model) knows(hash string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, scheme := range append([]string{""}, Schemes()...) {
		if hash == hashOf(m.ckpt, m.claims, scheme) {
			return true
		}
	}
	return false
}

// Hash identifies the weights as [Model.Hash] does, but for the scheme: what was learnt on embeddings goes with those of any.
func (e *Encoder) Hash() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return hashOf(e.ckpt, e.claims, "")
}

func hashOf(ckpt *loader.Checkpoint, claims []loader.Claim, scheme string) string {
	h := sha256.New()
	if scheme != "" {
		fmt.Fprintf(h, "quant %s\n", scheme)
	}
	for _, c := range claims {
		t, ok := ckpt.Tensor(c.Name)
		if !ok {
			continue // the model is closed
		}
		fmt.Fprintf(h, "%s %v %v\n", c.Name, c.DType, c.Shape)
		h.Write(t.Data[:min(hashEnds, len(t.Data))])
		h.Write(t.Data[max(0, len(t.Data)-hashEnds):])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TokenizerHash is the SHA-256 of tokenizer.json; empty for a model without one.
func (m *Model) TokenizerHash() string { return m.text.hash }

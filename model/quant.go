package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// A scheme says in which form the matrices of a model are kept. Router, norms, biases, embeddings and the gate of shared
// experts stay as the file has them under every scheme.
const (
	quantNone  = "none"  // as the file has them
	quantInt8  = "int8"  // 8 bits, blocks of 32
	quantInt4  = "int4"  // experts, feed-forward and attention in 4 bits, head in 8
	quantMixed = "mixed" // experts and feed-forward in 4 bits, attention and head in 8
)

// Schemes lists what quantises: the values of Options.Quant beside none.
func Schemes() []string { return []string{quantInt8, quantInt4, quantMixed} }

// checkScheme refuses what is neither a scheme nor one of the extra words.
func checkScheme(name string, extra ...string) error {
	if slices.Contains(Schemes(), name) || slices.Contains(extra, name) {
		return nil
	}
	all := append(slices.DeleteFunc(slices.Clone(extra), func(s string) bool { return s == "" }), Schemes()...)
	return fmt.Errorf("%w: quant: want one of %s, found %q", ErrOption, strings.Join(all, ", "), name)
}

// part is what a matrix belongs to, as far as schemes care.
type part uint8

const (
	partAttention part = iota
	partFeedForward
	partHead
)

// packedDType is the form of a part's matrices under a scheme.
func packedDType(scheme string, p part) tensor.DType {
	four := p == partFeedForward && scheme != quantInt8 || p == partAttention && scheme == quantInt4
	if four {
		return tensor.Q4P
	}
	return tensor.Q8P
}

// weight is a matrix that a scheme quantises: where it goes and where its rows come from.
type weight struct {
	name       string // in a packed folder
	source     string // the tensor of the checkpoint that holds it
	keep       bool   // the source is in use beside the weight: a tied embedding
	part       part
	rows, cols int
	dst        *kernels.Matrix
	turned     *loader.Turned // where the file holds the weight transposed; then dst is empty
}

// packedSize is the bytes of a weight in the form of a scheme. The error says why it has none.
func (w *weight) packedSize(scheme string) (int, error) {
	n, err := kernels.PackedBytes(packedDType(scheme, w.part), w.rows, w.cols)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", w.source, err)
	}
	return n, nil
}

// size is the bytes of a weight in the checkpoint.
func (w *weight) size() int {
	if w.turned != nil {
		return w.rows * w.cols * w.turned.T.DType.Size()
	}
	return len(w.dst.Data)
}

// note is what the metadata of a packed file says of a weight: its form, rows and columns.
func (w *weight) note(scheme string) string {
	return fmt.Sprintf("%v %dx%d", packedDType(scheme, w.part), w.rows, w.cols)
}

// others lists the claims that no weight takes the place of.
func others(claims []loader.Claim, list []weight) []loader.Claim {
	gone := map[string]bool{}
	for i := range list {
		if !list[i].keep {
			gone[list[i].source] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(claims), func(c loader.Claim) bool { return gone[c.Name] })
}

// packedClaims lists what is in use once the weights have been packed, by name.
func packedClaims(claims []loader.Claim, list []weight) []loader.Claim {
	files := map[string]string{}
	for _, c := range claims {
		files[c.Name] = c.File
	}
	out := others(claims, list)
	for i := range list {
		w := &list[i]
		out = append(out, loader.Claim{Name: w.name, DType: w.dst.DType.String(), Shape: tensor.Shape{w.rows, w.cols},
			Bytes: len(w.dst.Data), File: files[w.source]})
	}
	slices.SortFunc(out, func(a, b loader.Claim) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// SchemeSize says what a scheme would do to a checkpoint.
type SchemeSize struct {
	Scheme  string `json:"scheme"`
	Tensors int    `json:"tensors"`      // how many matrices it quantises
	Before  int64  `json:"bytes_before"` // of these; the copy that a tied head becomes counts nothing
	After   int64  `json:"bytes_after"`
	Total   int64  `json:"total_bytes"` // of all tensors then in use
}

// Schemes says what each scheme would do to the model's weights; empty where they are quantised already.
func (m *Model) Schemes() []SchemeSize { return slices.Clone(m.sizes) }

// schemeSizes computes [Model.Schemes], without a scheme that some matrix is too large for.
func schemeSizes(claims []loader.Claim, list []weight) []SchemeSize {
	rest := int64(0)
	for _, c := range others(claims, list) {
		rest += int64(c.Bytes)
	}
	var out []SchemeSize
	for _, scheme := range Schemes() {
		s := SchemeSize{Scheme: scheme, Tensors: len(list)}
		fits := true
		for i := range list {
			n, err := list[i].packedSize(scheme)
			fits = fits && err == nil
			s.After += int64(n)
			if !list[i].keep {
				s.Before += int64(list[i].size())
			}
		}
		if s.Total = s.After + rest; fits {
			out = append(out, s)
		}
	}
	return out
}

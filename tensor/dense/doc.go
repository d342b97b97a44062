// Package dense is the bridge to gorgonia.org/tensor: zero-copy views both ways. It serves what leaves the engine —
// logits, traces, attention maps — and tests, which take gorgonia's arithmetic for an oracle. The hot path never
// imports it.
//
// Views share memory: writing through one side is seen on the other, and a view of a mapped checkpoint is read-only (a
// write kills the process) and dies with the checkpoint.
package dense

// gorgonia panics at init on a Go newer than it knows unless this newer version of the package is in the build.
import _ "go4.org/unsafe/assume-no-moving-gc"

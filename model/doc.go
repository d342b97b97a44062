// Package model turns an open checkpoint into something that answers: [Spec] (data), the families that fill it, the
// forward pass, the KV cache, sampling and generation.
//
// Read it in the order in which data flows:
//
//	spec.go → families.go → qwen3moe.go (or any family) → forward.go → attention.go → session.go
//
// A family is two functions: one reads config.json into a Spec, one claims the checkpoint's tensors by name and shape.
// The forward pass is written once, for all of them; what families do differently is a field of Spec or, where it
// is a different way of moving information between positions, a [Mixer] in a file of its own.
//
// Two caveats. A [Session] belongs to one goroutine at a time, a [Model] to any number. Weights are views of the
// mapped checkpoint: nothing of a Model may be used after Close.
package model

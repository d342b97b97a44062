// Package loader opens Hugging Face checkpoint folders: safetensors files by mmap, config.json, and the strict
// binding of tensor names to weights. It also writes safetensors files. It knows no model arithmetic.
//
// The way of a checkpoint: [Open] → [Checkpoint] → [Fields] (config.json, read key by key) → [Binder] (tensors claimed
// by name and shape) → [Binder.Done] (every fault at once). The five types: [Checkpoint], [File], [Fields], [Binder],
// [Faults].
//
// Two caveats. Tensors are views of the mapping and die with [Checkpoint.Close]; what the Binder had to repack is owned
// memory. And a file that another process shortens while it is mapped kills the process on the next touch: the
// operating system gives no way to refuse that.
//
// Everything read from disk is taken for hostile: sizes are checked against the bytes that are really there before
// anything is allocated from them, and no input panics.
package loader

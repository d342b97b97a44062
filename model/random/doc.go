// Package random makes checkpoints of random weights in real shapes, in memory, so that anyone can measure a model's speed
// without a download. A [Source] holds the tensors of one [Shape]; [Source.Checkpoint] hands them to model.OpenCheckpoint.
//
// Plain random weights flatter a mixture of experts: in deep layers the residual stream of every token comes to look alike,
// and routing collapses onto few experts, whose weights then stay in the caches. Here routing stays spread:
//
//	embedding             N(0, 1) (N(0, 0.02²) where it is the head too)
//	o_proj, down_proj     N(0, 0.02²/(2·layers)): the branches stay small beside the token's own embedding
//	router                N(0, 0.02²), each row scaled to one length, so that no expert is louder than another
//	other matrices        N(0, 0.02²)
//	norms                 1
//
// Values depend on seed and tensor name alone. Matrices are pieces of one table of normal values, each piece at a place that
// a hash of (seed, name, piece) picks; the router is drawn value by value.
package random
